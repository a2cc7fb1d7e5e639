--- A source for blink.cmp: see |copilot_server-sources|.

local ask = require('copilot_server.sources.ask')
local menu_item = require('copilot_server.sources.menu_item')

---@class copilot_server.BlinkOptions
---@field several? boolean ask for several suggestions, which takes longer
---@field trigger_characters? string[] after which to ask, besides words; all other sources are asked, too
---@field kind_icon? string the icon of the entries

---@class copilot_server.Blink
---@field options copilot_server.BlinkOptions
local Source = {}
Source.__index = Source

---@param options? copilot_server.BlinkOptions
---@return copilot_server.Blink
function Source.new(options)
  return setmetatable({ options = options or {} }, Source)
end

---@return boolean
function Source:enabled()
  return ask.is_available()
end

---@return string[]
function Source:get_trigger_characters()
  return self.options.trigger_characters or { '.' }
end

--- Request the entries for the cursor. Any key may change them, so they are never complete.
---@param context { bounds: { start_col: integer } }
---@param callback fun(response: table)
---@return fun()? cancel
function Source:get_completions(context, callback)
  local kind = self.options.several and ask.INVOKED or ask.AUTOMATIC
  return ask.entries(kind, context.bounds.start_col - 1, function(entries)
    for _, entry in ipairs(entries) do
      entry.kind_name = menu_item.KIND
      entry.kind_icon = self.options.kind_icon
    end
    callback({ items = entries, is_incomplete_forward = true, is_incomplete_backward = true })
  end)
end

--- blink.cmp resolves the entry that is selected, and shows it as a whole beside the menu.
---@param item table
---@param callback fun(item: table)
function Source:resolve(item, callback)
  ask.shown(item)
  callback(item)
end

---@param _ table
---@param item table
---@param callback fun()
---@param insert fun()
function Source:execute(_, item, callback, insert)
  insert()
  ask.accepted(item)
  callback()
end

return Source
