--- A source for nvim-cmp: see |copilot_server-sources|.

local ask = require('copilot_server.sources.ask')
local menu_item = require('copilot_server.sources.menu_item')

---@class copilot_server.Cmp
local Source = {}
Source.__index = Source

--- After these a suggestion may follow at once; nvim-cmp asks by itself only within words, and asks only this
--- source after its trigger characters.
local TRIGGERS = {}
for character in (' \t.,:;=+-*/%<>&|!?@#$~^\'"`()[]{}'):gmatch('.') do
  table.insert(TRIGGERS, character)
end

local registered = false

--- Register the source, once; `{ name = 'copilot_server' }` then names it in nvim-cmp's `sources`.
function Source.register()
  if not registered then
    registered = true
    require('cmp').register_source('copilot_server', Source.new())
  end
end

---@return copilot_server.Cmp
function Source.new()
  return setmetatable({}, Source)
end

---@return boolean
function Source:is_available()
  return ask.is_available()
end

---@return string
function Source:get_debug_name()
  return 'copilot_server'
end

---@return string
function Source:get_position_encoding_kind()
  return 'utf-8'
end

---@return string[]
function Source:get_trigger_characters()
  return TRIGGERS
end

--- Whether the user called `cmp.complete()`, and so may want to choose among several suggestions.
---@param params table
---@return boolean
local function is_invoked(params)
  return vim.tbl_get(params, 'context', 'option', 'reason') == 'manual'
end

--- Request the entries for the cursor. Any key may change them, so they are never complete. nvim-cmp asks again
--- by itself if the text has changed by the time of the answer.
---@param params { offset: integer, context: table }
---@param callback fun(response: table)
function Source:complete(params, callback)
  local kind = is_invoked(params) and ask.INVOKED or ask.AUTOMATIC
  ask.entries(kind, params.offset - 1, function(entries)
    for _, entry in ipairs(entries) do
      entry.cmp = { kind_text = menu_item.KIND }
    end
    callback({ items = entries, isIncomplete = true })
  end)
end

--- nvim-cmp resolves the entry that is selected, and shows it as a whole beside the menu.
---@param item table
---@param callback fun(item: table)
function Source:resolve(item, callback)
  ask.shown(item)
  callback(item)
end

--- nvim-cmp calls this once it has inserted the entry.
---@param item table
---@param callback fun(item: table)
function Source:execute(item, callback)
  ask.accepted(item)
  callback(item)
end

return Source
