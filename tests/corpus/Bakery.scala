package town.bakery

import scala.collection.mutable

/** What can be eaten.
  *
  * Mostly bread.
  */
trait Food { // [Food
  def calories: Int
} // Food]

case class Bread(grams: Int) extends Food { // [Bread
  def calories: Int = grams * 2
} // Bread]

/** Bakes all night. */
class Bakery(val name: String) { // [Bakery
  private val shelf = mutable.Buffer.empty[Food]

  // Puts food on the shelf.
  def bake(food: Food): Unit = { // [Bakery.bake
    shelf += food
  } // Bakery.bake]

  @deprecated("sell less", "2") // [Bakery.sell
  def sell(most: Int): Int = {
    var sold = 0
    for (food <- shelf) {
      if (sold < most) {
        println("a loaf goes over the counter, still warm from the oven")
        sold += 1
      } else {
        println("nothing more is sold today, come back in the morning")
      }
    }
    food match {
      case Bread(grams) => println(s"the last one weighed $grams grams before it was sold")
      case _            => println("the last one was no bread at all, and nobody minded")
    }
    sold
  } // Bakery.sell]
} // Bakery]

object Bakery { // [Bakery
  def apply(): Bakery = new Bakery("corner")
} // Bakery]
