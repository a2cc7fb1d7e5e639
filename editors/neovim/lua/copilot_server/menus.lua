--- The menus of completion, Neovim's own and those of plugins, under which no ghost text is drawn.

local config = require('copilot_server.config')

local M = {}

---@type table<string, true> who wants the ghost text hidden
local hidden_by = {}

--- Whether blink.cmp shows its menu.
---@return boolean
local function blink_is_open()
  -- Loading its menu before the user has set it up would keep the user's options from it.
  local menu = package.loaded['blink.cmp.completion.windows.menu']
  return type(menu) == 'table' and type(menu.win) == 'table' and menu.win:is_open() == true
end

--- Whether nvim-cmp shows its menu.
---@return boolean
local function cmp_is_open()
  local cmp = package.loaded['cmp']
  local view = type(cmp) == 'table' and type(cmp.core) == 'table' and cmp.core.view
  return type(view) == 'table' and view:visible() == true
end

--- Whether a menu is open, whoever draws it.
---@return boolean
function M.is_open()
  return vim.fn.pumvisible() == 1 or blink_is_open() or cmp_is_open()
end

--- Whether ghost text has to make way.
---@return boolean
function M.are_in_the_way()
  return next(hidden_by) ~= nil or (not config.get().during_completion and M.is_open())
end

--- Hide ghost text until the same caller shows it again.
---@param who string
---@param hidden boolean
function M.hide(who, hidden)
  hidden_by[who] = hidden or nil
  require('copilot_server.suggestion').refresh()
end

--- Follow the menus of plugins, whose events are none of Neovim's own.
---@param on fun(events: string|string[], callback: fun(event: table), pattern?: string)
---@param refresh fun()
function M.watch(on, refresh)
  on('User', vim.schedule_wrap(refresh), 'BlinkCmpMenu*')
  on({ 'InsertEnter', 'TextChangedI' }, function()
    M.watch_cmp(refresh)
  end)
end

local watches_cmp = false

--- Have nvim-cmp report its menu, once it is loaded.
---@param refresh fun()
function M.watch_cmp(refresh)
  local cmp = package.loaded['cmp']
  if not watches_cmp and type(cmp) == 'table' and type(cmp.event) == 'table' then
    watches_cmp = true
    cmp.event:on('menu_opened', vim.schedule_wrap(refresh))
    cmp.event:on('menu_closed', vim.schedule_wrap(refresh))
  end
end

return M
