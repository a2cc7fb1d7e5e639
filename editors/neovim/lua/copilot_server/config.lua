--- The user's options: `vim.g.copilot_server` and the arguments of `setup()`, merged over the defaults.

local M = {}

---@class copilot_server.Keymaps
---@field accept string|false
---@field accept_word string|false
---@field accept_line string|false
---@field next string|false
---@field previous string|false
---@field dismiss string|false
---@field trigger string|false
---@field panel string|false

---@class copilot_server.Config
---@field cmd? string[] the server's command; nil looks for it on PATH and in the plugin's own clone
---@field settings table the server's settings, as in its config.toml
---@field enabled boolean whether suggestions are on initially
---@field filetypes table<string, boolean> by filetype; '*' stands for all others, '' for buffers without one
---@field ghost_text boolean show suggestions as ghost text; else the server answers ordinary completion
---@field menu_source boolean suggestions come from the source for a completion plugin
---@field keymaps copilot_server.Keymaps|false insert mode; false maps nothing
---@field debounce_ms integer how long to wait for another key before a request
---@field during_completion boolean show ghost text while the completion menu is open
---@field restarts integer how often a server that died is restarted in five minutes

---@type copilot_server.Config
M.defaults = {
  cmd = nil,
  settings = {},
  enabled = true,
  filetypes = {
    ['*'] = true,
    [''] = false,
    help = false,
    text = false,
    markdown = false,
    gitcommit = false,
    gitrebase = false,
    hgcommit = false,
    svn = false,
    cvs = false,
  },
  ghost_text = true,
  menu_source = false,
  keymaps = {
    accept = '<Tab>',
    accept_word = '<M-Right>',
    accept_line = '<M-C-Right>',
    next = '<M-]>',
    previous = '<M-[>',
    dismiss = '<C-]>',
    trigger = '<M-Bslash>',
    panel = '<M-CR>',
  },
  debounce_ms = 15,
  during_completion = false,
  restarts = 3,
}

--- The types that are valid for each option; by default the type of its default.
local TYPES = {
  cmd = { 'table', 'nil' },
  keymaps = { 'table', 'boolean' },
}

---@type table
local given = {}
---@type copilot_server.Config?
local merged
---@type table?
local merged_from

---@param options table
---@return string[] problems one message each
local function problems_of(options)
  local problems = {}
  for name, value in pairs(options) do
    local known = M.defaults[name] ~= nil or TYPES[name] ~= nil
    local types = TYPES[name] or { type(M.defaults[name]) }
    if not known then
      table.insert(problems, ('unknown option %q; see :help copilot_server-options'):format(name))
    elseif not vim.tbl_contains(types, type(value)) then
      local wanted = table.concat(types, ' or ')
      table.insert(problems, ('option %q must be a %s, not a %s'):format(name, wanted, type(value)))
    end
  end
  table.sort(problems)
  return problems
end

--- Leave out wrong options, so that the defaults apply.
---@param options table
---@return table
local function valid_part(options)
  local valid = {}
  for name, value in pairs(options) do
    if #problems_of({ [name] = value }) == 0 then
      valid[name] = value
    end
  end
  return valid
end

--- Use the options of `setup()`; wrong ones are reported, and their defaults apply.
---@param options? table
function M.set(options)
  given = options or {}
  merged = nil
  for _, problem in ipairs(M.problems()) do
    vim.notify('copilot-server: ' .. problem, vim.log.levels.WARN)
  end
end

--- What is wrong with the options.
---@return string[]
function M.problems()
  local global = vim.g.copilot_server
  if global ~= nil and type(global) ~= 'table' then
    return { 'vim.g.copilot_server must be a table' }
  end
  return problems_of(vim.tbl_extend('force', global or {}, given))
end

--- The filetypes that the user's options name.
---@return table<string, boolean>
function M.own_filetypes()
  local global = type(vim.g.copilot_server) == 'table' and vim.g.copilot_server or {}
  local user, more = valid_part(global).filetypes or {}, valid_part(given).filetypes or {}
  return vim.tbl_extend('force', user, more)
end

--- The current options.
---@return copilot_server.Config
function M.get()
  local global = vim.g.copilot_server
  if not merged or not vim.deep_equal(global, merged_from) then
    merged_from = global
    local user = valid_part(type(global) == 'table' and global or {})
    merged = vim.tbl_deep_extend('force', M.defaults, user, valid_part(given))
  end
  return merged
end

return M
