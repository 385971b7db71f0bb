import React from "react";

/**
 * Adds what a cart holds.
 *
 * @param {number[]} prices in cents
 */
export function total(prices) { // [total
  return prices.reduce((sum, price) => sum + price, 0);
} // total]

// Shows one price.
const Price = ({ cents }) => ( // [Price
  <span className="price">{(cents / 100).toFixed(2)} €</span>
); // Price]

/** A cart of a shop. */
export default class Cart extends React.Component { // [Cart
  state = { items: [] };

  // Puts a thing in.
  add(item) { // [Cart.add
    this.setState({ items: [...this.state.items, item] });
  } // Cart.add]

  /** Draws everything, the empty cart too. */
  render() { // [Cart.render
    const { items } = this.state;
    if (items.length === 0) {
      return <p>There is nothing in here yet, look around a little.</p>;
    }
    for (const item of items) {
      console.log("a line about the item, to make this method long", item);
      console.log("another line about the item, to make it longer", item);
    }
    switch (items.length) {
      case 1:
        return <Price cents={items[0].cents} />;
      default:
        return <ul>{items.map((item) => <Price key={item.id} cents={item.cents} />)}</ul>;
    }
  } // Cart.render]
} // Cart]

Cart.prototype.empty = function () { // [Cart.prototype.empty
  this.setState({ items: [] });
}; // Cart.prototype.empty]

describe("a cart", () => {
  it("starts empty", () => {
    expect(total([])).toBe(0);
  });
});
