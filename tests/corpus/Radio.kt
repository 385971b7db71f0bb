package home.radio

import kotlin.math.max

/**
 * A radio with a dial.
 *
 * @property station where the dial stands
 */
@Serializable // [Radio
class Radio(var station: Double) : Device {
    private var volume = 1

    // Turns it up.
    fun louder(by: Int = 1) { // [Radio.louder
        volume = max(0, volume + by)
    } // Radio.louder]

    /** Looks for the next station. */
    override suspend fun scan(limit: Double): Double? { // [Radio.scan
        var at = station
        while (at < limit) {
            at += 0.1
            when {
                at > 108.0 -> println("there are no stations above one hundred and eight")
                heard(at) -> return at
                else -> println("nothing but noise is heard at this place of the dial")
            }
        }
        println("the scan is over, and nothing was found up to the limit")
        return null
    } // Radio.scan]

    companion object { // [Radio.Companion
        fun kitchen(): Radio { // [Radio.Companion.kitchen
            return Radio(98.3)
        } // Radio.Companion.kitchen]
    } // Radio.Companion]
} // Radio]

interface Device { // [Device
    suspend fun scan(limit: Double): Double?
} // Device]

object Silence : Device { // [Silence
    override suspend fun scan(limit: Double) = null
} // Silence]

// Shouts.
fun String.shout(): String { // [String.shout
    return uppercase() + "!"
} // String.shout]
