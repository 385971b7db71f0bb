#include <vector>
#include <stdexcept>

namespace math {

/// A dense matrix.
///
/// Rows come first.
template <typename T>
class Matrix { // [math.Matrix
public:
    Matrix(std::size_t rows, std::size_t columns); // declared

    ~Matrix() { // [math.Matrix.~Matrix
        cells.clear();
    } // math.Matrix.~Matrix]

    // One cell.
    T &at(std::size_t row, std::size_t column) { // [math.Matrix.at
        return cells[row * columns + column];
    } // math.Matrix.at]

    bool operator==(const Matrix &other) const { // [math.Matrix.operator==
        return cells == other.cells;
    } // math.Matrix.operator==]

private:
    std::vector<T> cells;
    std::size_t columns;
}; // math.Matrix]

enum class Order { rows, columns };

} // namespace math

/** Adds up what is on the diagonal. */
double math::trace(const Matrix<double> &matrix, std::size_t size) { // [math.trace
    double sum = 0;
    for (std::size_t i = 0; i < size; ++i) {
        sum += matrix.at(i, i);
        if (sum > 1e300) {
            throw std::overflow_error("the diagonal is too large to be added up in a double");
        }
    }
    auto report = [&](const char *what) {
        std::puts(what);
    };
    report("a line about the trace, so that this function is long enough to be cut");
    return sum;
} // math.trace]

struct Point { // [Point
    double x = 0, y = 0;
    double norm() const { return x * x + y * y; }
}; // Point]

template <class T> T largest(T a, T b) { // [largest
    return a > b ? a : b;
} // largest]
