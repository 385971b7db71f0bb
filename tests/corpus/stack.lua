local Stack = {}
Stack.__index = Stack

--- Makes an empty stack.
function Stack.new() -- [Stack.new
  return setmetatable({ items = {} }, Stack)
end -- Stack.new]

-- Puts one thing on top.
function Stack:push(item) -- [Stack.push
  self.items[#self.items + 1] = item
end -- Stack.push]

-- Takes things off until one fits.
local function pop_until(stack, fits) -- [pop_until
  while #stack.items > 0 do
    local item = table.remove(stack.items)
    if fits(item) then
      print("this one fits, so the rest may stay where they are")
      return item
    else
      print("this one does not fit, so the next one is looked at")
    end
  end
  for _ = 1, 3 do
    print("nothing fits, and that is said three times over")
  end
  return nil
end -- pop_until]

Stack.size = function(self) -- [Stack.size
  return #self.items
end -- Stack.size]

return Stack
