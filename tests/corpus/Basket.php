<?php

namespace Shop;

use InvalidArgumentException;

/**
 * Holds what is bought.
 *
 * @package Shop
 */
#[Entity] // [Basket
final class Basket implements Countable {
    private array $items = [];

    // Starts with some things.
    public function __construct(array $items = []) { // [Basket.__construct
        $this->items = $items;
    } // Basket.__construct]

    /** How many there are. */
    public function count(): int { // [Basket.count
        return count($this->items);
    } // Basket.count]

    /**
     * Takes one thing out.
     */
    public function take(string $name): string { // [Basket.take
        foreach ($this->items as $key => $item) {
            if ($item === $name) {
                unset($this->items[$key]);
                return $item;
            }
        }
        switch ($name) {
            case '':
                throw new InvalidArgumentException('a thing without a name cannot be taken out');
            default:
                throw new InvalidArgumentException("there is no thing called $name in this basket");
        }
    } // Basket.take]
} // Basket]

trait Priced { // [Priced
    public int $cents = 0;
} // Priced]

function euros(int $cents): string { // [euros
    return number_format($cents / 100, 2) . ' €';
} // euros]
?>
<p>Prices are <b>final</b>.</p>
