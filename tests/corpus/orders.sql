-- What was ordered.
CREATE TABLE orders ( -- [orders
    id INTEGER PRIMARY KEY,
    customer TEXT NOT NULL,
    cents BIGINT DEFAULT 0
); -- orders]

CREATE INDEX orders_by_customer ON orders (customer);

/* Large orders only. */
CREATE VIEW large_orders AS -- [large_orders
SELECT id, customer FROM orders WHERE cents > 100000; -- large_orders]

-- Adds up.
CREATE FUNCTION spent(who TEXT) RETURNS BIGINT AS $$ -- [spent
    SELECT sum(cents) FROM orders WHERE customer = who;
$$ LANGUAGE SQL; -- spent]

INSERT INTO orders (id, customer, cents) VALUES
    (1, 'a customer with a rather long name, who orders often', 100),
    (2, 'another customer with a rather long name, who does not', 200),
    (3, 'a third customer with a rather long name, just to be sure', 300);

SELECT customer, sum(cents) AS total
FROM orders
LEFT JOIN customers ON customers.name = orders.customer
WHERE cents > 0
GROUP BY customer
HAVING sum(cents) > 10
ORDER BY total DESC;
