//! Shapes and what they cover.

use std::fmt;

/// A thing with an area.
pub trait Shape { // [Shape
    /// The area in square metres.
    fn area(&self) -> f64;

    fn name(&self) -> String { // [Shape.name
        String::from("shape")
    } // Shape.name]
} // Shape]

/// A circle.
///
/// Its radius is never negative.
#[derive(Debug, Clone)]
#[allow(dead_code)]
pub struct Circle { // [Circle
    radius: f64,
} // Circle]

enum Side { Left, Right }

impl Circle {
    /// Makes one, or tells why not.
    pub fn new(radius: f64) -> Result<Self, String> { // [Circle.new
        if radius < 0.0 {
            return Err(format!("a radius of {radius} is below zero"));
        }
        Ok(Circle { radius })
    } // Circle.new]
}

impl Shape for Circle {
    #[inline]
    fn area(&self) -> f64 { // [Circle.area
        std::f64::consts::PI * self.radius * self.radius
    } // Circle.area]
}

impl<T: Shape> fmt::Display for Wrapper<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { // [Wrapper.fmt
        match self.side {
            Side::Left => write!(f, "on the left there is {}", self.inner.name()),
            Side::Right => write!(f, "on the right there is {}", self.inner.name()),
        }
    } // Wrapper.fmt]
}

mod sums {
    // Adds areas.
    pub(crate) fn total(shapes: &[Box<dyn super::Shape>]) -> f64 { // [sums.total
        let mut sum = 0.0;
        for shape in shapes {
            println!("a shape called {} is added to the sum of all", shape.name());
            sum += shape.area();
        }
        if sum > 1_000.0 {
            println!("that is more than a thousand square metres of shapes");
        }
        sum
    } // sums.total]
}

macro_rules! square { // [square
    ($x:expr) => { $x * $x };
} // square]
