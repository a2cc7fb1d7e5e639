--- Which buffers the server sees: the switches, and attaching and detaching buffers accordingly.
---
--- A buffer that is switched off is not open in the server at all, so the server reads nothing of it.

local config = require('copilot_server.config')
local server = require('copilot_server.server')

local M = {}

---@alias copilot_server.Scope 'buffer'|'filetype'|'global'

local OWN = 'copilot_server_enabled'

---@type boolean? the global switch; nil as long as the option decides
local global
---@type table<string, boolean> the switches of filetypes
local by_filetype = {}
---@type table<string, true> the filetypes that a switch has turned on, in a buffer at least
local turned_on = {}
---@type integer? the unnamed buffer that the server has open
local unnamed
---@type table<integer, true> buffers whose language is off, in which the user has asked for a suggestion
local requested = {}

---@param bufnr integer
---@return boolean
local function is_file(bufnr)
  if not vim.api.nvim_buf_is_loaded(bufnr) then
    return false
  end
  local buffer = vim.bo[bufnr]
  local scheme = vim.api.nvim_buf_get_name(bufnr):match('^(%a[%w+.-]+)://')
  return buffer.buftype == '' and buffer.modifiable and (scheme == nil or scheme == 'file')
end

---@param filetype string
---@return boolean
local function filetype_enabled(filetype)
  local switches = vim.tbl_extend('force', config.get().filetypes, by_filetype)
  for _, name in ipairs({ filetype, filetype:match('^[^.]*'), filetype ~= '' and '*' or nil }) do
    if switches[name] ~= nil then
      return switches[name]
    end
  end
  return false
end

---@alias copilot_server.OffCode 'file'|'off'|'buffer'|'language'

--- Whether suggestions are on at all.
---@return boolean
local function is_on_globally()
  if global == nil then
    return config.get().enabled
  end
  return global
end

--- Why there are no suggestions in a buffer by themselves.
---@param bufnr? integer
---@return string? reason nil if there are suggestions
---@return copilot_server.OffCode? code with `language`, explicit requests are still answered
function M.why_off(bufnr)
  bufnr = (bufnr == nil or bufnr == 0) and vim.api.nvim_get_current_buf() or bufnr
  if not is_file(bufnr) then
    return 'not a file that can be edited', 'file'
  elseif not is_on_globally() then
    return 'switched off everywhere', 'off'
  end
  local own = vim.b[bufnr][OWN]
  if own == false then
    return 'switched off in this buffer', 'buffer'
  end
  local filetype = vim.bo[bufnr].filetype
  if own == nil and not filetype_enabled(filetype) then
    local named = ('off for filetype %s'):format(filetype)
    return filetype == '' and 'off in buffers without a filetype' or named, 'language'
  end
end

--- What the server has to know of the filetypes that the user wants: it has a few languages off by itself.
---@return table<string, boolean>? languages nil if the user has turned none on
function M.languages()
  local languages = vim.tbl_extend('force', config.own_filetypes(), turned_on)
  languages[''] = nil
  if vim.tbl_contains(vim.tbl_values(languages), true) then
    return languages
  end
end

--- Whether the server may see a buffer.
---@param bufnr integer
---@return boolean
local function is_wanted(bufnr)
  local why, code = M.why_off(bufnr)
  return why == nil or (code == 'language' and requested[bufnr] == true)
end

--- The root folder of a buffer's project.
---@param bufnr integer
---@return string?
local function root(bufnr)
  local source = vim.api.nvim_buf_get_name(bufnr) == '' and assert(vim.uv.cwd()) or bufnr
  return vim.fs.root(source, { '.git', '.hg', '.jj', '.copilotignore' })
end

--- Start or reuse the server for a buffer, unless it is off. Neovim calls this for each one with a filetype.
---@param bufnr integer
---@param on_dir fun(root_dir?: string)
function M.root_dir(bufnr, on_dir)
  if not is_wanted(bufnr) or server.is_stopped_by_user() then
    return
  end
  if server.command() then
    on_dir(root(bufnr))
  else
    server.notify_missing()
  end
end

--- Use one server for all projects, since a model is large.
---@param client vim.lsp.Client
---@param wanted table
---@return boolean
function M.reuse_client(client, wanted)
  if client.name ~= wanted.name or server.is_stopped(client) then
    return false
  end
  require('copilot_server.folders').add(client, wanted.root_dir)
  return true
end

---@param bufnr integer
local function start(bufnr)
  local wanted =
    vim.deepcopy(vim.lsp.config and vim.lsp.config[server.NAME] or require('copilot_server.client').config())
  wanted.name = server.NAME
  wanted.root_dir = root(bufnr)
  vim.lsp.start(wanted, { bufnr = bufnr, reuse_client = M.reuse_client })
end

--- Attach or detach a buffer, as its switches say.
---@param bufnr integer
function M.update(bufnr)
  local client, wanted = server.client(bufnr), is_wanted(bufnr)
  if client and not wanted then
    vim.lsp.buf_detach_client(bufnr, client.id)
  elseif not client and wanted and not server.is_stopped_by_user() then
    if server.command() then
      start(bufnr)
    else
      server.notify_missing()
    end
  end
end

--- Attach a buffer in which the user asks for a suggestion, if only its language is off.
---@param bufnr integer
function M.attach_on_request(bufnr)
  local _, code = M.why_off(bufnr)
  requested[bufnr] = code == 'language' or nil
  if not server.client(bufnr) and not server.starting then
    M.update(bufnr)
  end
end

--- Attach or detach every loaded buffer.
function M.attach_all()
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(bufnr) then
      M.update(bufnr)
    end
  end
end

--- Unnamed buffers share one URI in Neovim, so that only the current one may be open in the server.
---@param bufnr integer
function M.enter(bufnr)
  if vim.api.nvim_buf_get_name(bufnr) ~= '' or unnamed == bufnr or M.why_off(bufnr) then
    return
  end
  local client = unnamed and vim.api.nvim_buf_is_valid(unnamed) and server.client(unnamed)
  if client and vim.api.nvim_buf_get_name(unnamed) == '' then
    vim.lsp.buf_detach_client(unnamed, client.id)
    M.update(bufnr)
  end
  unnamed = bufnr
end

--- Detach a buffer whose new filetype is off. Neovim attaches one whose new filetype is on by itself.
---@param bufnr integer
function M.filetype_changed(bufnr)
  requested[bufnr] = nil
  local client = server.client(bufnr)
  if client and not is_wanted(bufnr) then
    vim.lsp.buf_detach_client(bufnr, client.id)
  end
end

--- Detach a buffer that is deleted. If Neovim no longer tracks its changes (see sync.lua), it would not
--- notice, and would raise an error when the client ends.
---@param bufnr integer
function M.forget(bufnr)
  requested[bufnr] = nil
  local client = server.client(bufnr)
  if client then
    vim.lsp.buf_detach_client(bufnr, client.id)
  end
end

--- Stop the server if suggestions are off everywhere: it holds a model in memory.
local function stop_unless_on()
  local client = server.client()
  if client and not is_on_globally() then
    server.stop(client)
  end
end

--- Have the server suggest in the current buffer's language.
---@param scope copilot_server.Scope
local function turn_on_language(scope)
  local filetype = vim.bo.filetype
  if scope == 'global' or filetype == '' or turned_on[filetype] then
    return
  end
  turned_on[filetype] = true
  if server.client() then
    local settings = require('copilot_server.settings')
    settings.change('languages', settings.now().languages)
  end
end

--- Switch suggestions on or off.
---@param on boolean
---@param scope? copilot_server.Scope default: global
function M.switch(on, scope)
  scope = scope or 'global'
  if scope == 'buffer' then
    vim.b[OWN] = on
  elseif scope == 'filetype' then
    by_filetype[vim.bo.filetype] = on
    vim.b[OWN] = nil
  elseif scope == 'global' then
    global = on
  else
    error(('copilot-server: no such scope: %s (buffer, filetype or global)'):format(scope))
  end
  if on then
    server.wanted()
    turn_on_language(scope)
  else
    requested = {}
  end
  M.attach_all()
  stop_unless_on()
  if on and scope == 'global' and require('copilot_server.status').get().reason == 'off' then
    require('copilot_server.settings').choose('enabled', true) -- the server's own settings have it off
  end
  require('copilot_server.suggestion').refresh()
  require('copilot_server.status').announce()
end

--- Whether suggestions are on in a scope.
---@param scope? copilot_server.Scope default: buffer, for which all switches count
---@return boolean
function M.is_enabled(scope)
  if scope == 'global' then
    return is_on_globally()
  elseif scope == 'filetype' then
    return filetype_enabled(vim.bo.filetype)
  end
  return M.why_off(0) == nil
end

return M
