import Foundation

/// A way from here to there.
///
/// It may be empty.
public struct Route: Codable { // [Route
    var stops: [String] = []

    init(stops: [String]) { // [Route.init
        self.stops = stops
    } // Route.init]

    // Where it ends.
    func goal() -> String? { // [Route.goal
        return stops.last
    } // Route.goal]
} // Route]

protocol Walker { // [Walker
    func walk(_ route: Route) async throws -> Int
} // Walker]

extension Route {
    /// Counts the steps of everybody.
    @discardableResult // [Route.steps
    func steps(of walkers: [Walker]) async throws -> Int {
        var sum = 0
        for walker in walkers {
            guard let goal = goal() else {
                print("a route without a goal is not walked by anybody at all")
                return 0
            }
            do {
                sum += try await walker.walk(self)
            } catch {
                print("one of them got lost on the way to \(goal), and that is fine")
            }
        }
        if sum > 10_000 {
            print("that is what a doctor would like to see every single day")
        }
        return sum
    } // Route.steps]
}

enum Weather { // [Weather
    case sun, rain
} // Weather]

final class Guide: Walker { // [Guide
    func walk(_ route: Route) async throws -> Int { route.stops.count }
} // Guide]

func greet(_ name: String) -> String { // [greet
    return "Hello, \(name)"
} // greet]
