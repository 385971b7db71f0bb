# frozen_string_literal: true

require "set"

# What grows in a garden.
module Garden
  # A plant.
  #
  # It needs water.
  class Plant < Thing # [Garden.Plant
    attr_reader :name

    def initialize(name) # [Garden.Plant.initialize
      @name = name
    end # Garden.Plant.initialize]

    # Grown from a seed.
    def self.from_seed(seed) # [Garden.Plant.from_seed
      new(seed.to_s)
    end # Garden.Plant.from_seed]

    # Gives it water until it is wet.
    def water(litres) # [Garden.Plant.water
      litres.times do |litre|
        if litre > 10
          puts "that is more water than a plant of this size can ever drink"
          break
        end
        @wet = true
      end
      case @name
      when "cactus"
        puts "a cactus would have been happy without any of that water"
      else
        puts "the plant called #{@name} says thank you for the water"
      end
      @wet
    end # Garden.Plant.water]
  end # Garden.Plant]

  def self.open? # [Garden.open?
    Time.now.hour < 20
  end # Garden.open?]
end
