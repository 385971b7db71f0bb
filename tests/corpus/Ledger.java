package shop.books;

import java.util.ArrayList;
import java.util.List;

/**
 * Keeps bookings in order.
 *
 * <p>It is not thread-safe.
 */
@Service // [Ledger
public class Ledger<T extends Booking> implements Iterable<T> {
    private final List<T> bookings = new ArrayList<>();

    /** Starts empty. */
    public Ledger() { // [Ledger.Ledger
        super();
    } // Ledger.Ledger]

    /**
     * Books one thing.
     * @return whether it was new
     */
    @Override // [Ledger.book
    @Deprecated(since = "2")
    public boolean book(T booking) {
        return bookings.add(booking);
    } // Ledger.book]

    // Adds everything up.
    public long balance() { // [Ledger.balance
        long sum = 0;
        for (T booking : bookings) {
            if (booking.isVoid()) {
                System.out.println("a void booking does not count in the balance");
                continue;
            }
            try {
                sum = Math.addExact(sum, booking.cents());
            } catch (ArithmeticException e) {
                throw new IllegalStateException("more money than there is in the world", e);
            }
        }
        return sum;
    } // Ledger.balance]

    enum Side { DEBIT, CREDIT }

    static class Page { // [Ledger.Page
        int number() { // [Ledger.Page.number
            return 1;
        } // Ledger.Page.number]
    } // Ledger.Page]
} // Ledger]

interface Booking { // [Booking
    long cents();
    boolean isVoid();
} // Booking]

record Entry(long cents, String note) {}
