--- Keys in insert mode. Each does what it did before unless there is a suggestion to act on.

local config = require('copilot_server.config')

local M = {}

---@class copilot_server.Action
---@field keys string what the mapping types when it applies
---@field applies fun(before: copilot_server.Before): boolean `before`: what the key does otherwise
---@field desc string

---@return boolean
local function visible()
  return require('copilot_server.suggestion').is_visible()
end

--- A snippet's jump goes first where the key has one: who fills in a snippet is in the middle of something.
---@param before copilot_server.Before
---@return boolean
local function acceptable(before)
  return visible()
    and not require('copilot_server.menus').is_open()
    and not require('copilot_server.snippet').jumps_by(before)
    and not require('copilot_server.suggestion').begins_with_indent()
end

---@return boolean
local function attached()
  return require('copilot_server.server').client(vim.api.nvim_get_current_buf()) ~= nil
end

--- An explicit request is answered everywhere, if only with the reason why there is no suggestion. Buffers of
--- plugins keep what a key does there.
---@param before copilot_server.Before
---@return boolean
local function askable(before)
  local _, code = require('copilot_server.attach').why_off(0)
  return code ~= 'file' or before == 'nothing'
end

-- <C-g>u makes the accepted text one undo step, separate from what was typed before.
local function apply(part)
  return ('<C-g>u<Cmd>lua require("copilot_server.suggestion").apply(%q)<CR>'):format(part)
end

local function call(expression)
  return ('<Cmd>lua require("copilot_server").%s<CR>'):format(expression)
end

---@type table<string, copilot_server.Action>
M.ACTIONS = {
  accept = { keys = apply('all'), applies = acceptable, desc = 'Accept the suggestion' },
  accept_word = { keys = apply('word'), applies = visible, desc = "Accept the suggestion's next word" },
  accept_line = { keys = apply('line'), applies = visible, desc = "Accept the suggestion's next line" },
  next = { keys = call('next()'), applies = attached, desc = 'Next suggestion' },
  previous = { keys = call('previous()'), applies = attached, desc = 'Previous suggestion' },
  dismiss = { keys = call('dismiss()'), applies = visible, desc = 'Dismiss the suggestion' },
  trigger = { keys = call('trigger()'), applies = askable, desc = 'Suggest now' },
  panel = { keys = call('panel()'), applies = askable, desc = 'Several suggestions in a window' },
}

---@param name string
---@return string
local function plug(name)
  return ('<Plug>(copilot-server-%s)'):format(name:gsub('_', '-'))
end

--- Define the `<Plug>` mappings, which do nothing if there is nothing to act on.
function M.define_plugs()
  for name, action in pairs(M.ACTIONS) do
    vim.keymap.set('i', plug(name), action.keys, { desc = action.desc })
  end
end

--- The global mapping of a key in insert mode; a buffer's own precedes ours anyway.
---@param key string
---@return table? mapping as of |maparg()|
local function mapping_of(key)
  local raw = vim.keycode(key)
  for _, mapping in ipairs(vim.api.nvim_get_keymap('i')) do
    if mapping.lhsraw == raw or mapping.lhsrawalt == raw then
      return mapping
    end
  end
end

--- Keep the previous mapping of a key under another name.
---@param key string
---@param fallback string
---@return copilot_server.Before
local function keep(key, fallback)
  local before = mapping_of(key)
  if not before then
    vim.keymap.set('i', fallback, key)
    return 'nothing'
  end
  before.lhs = fallback
  before.lhsraw = vim.keycode(fallback)
  before.lhsrawalt = nil
  vim.fn.mapset('i', false, before)
  return vim.startswith(before.desc or '', 'vim.snippet.jump') and 'default' or 'own'
end

---@param name string
---@param key string
local function map(name, key)
  local action = M.ACTIONS[name]
  local fallback = plug('no-' .. name)
  local before = keep(key, fallback)
  vim.keymap.set('i', key, function()
    return action.applies(before) and plug(name) or fallback
  end, { expr = true, remap = true, desc = 'copilot-server: ' .. action.desc })
end

---@type table<string, true>
local mapped = {}

--- Map the configured keys of some actions, once.
---@param names string[]
local function define(names)
  local keymaps = config.get().keymaps
  for _, name in ipairs(names) do
    local key = keymaps and keymaps[name]
    if key and not mapped[name] then
      mapped[name] = true
      map(name, key)
    end
  end
end

--- Map the keys that make a request, which have an answer even if there is no server.
function M.define_requests()
  define({ 'trigger', 'panel' })
end

--- Map all keys: there is a server.
function M.define()
  define(vim.tbl_keys(M.ACTIONS))
end

return M
