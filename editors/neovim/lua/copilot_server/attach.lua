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
---@type integer? the unnamed buffer that the server has open
local unnamed

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

--- Why there are no suggestions in a buffer.
---@param bufnr? integer
---@return string? reason nil if there are suggestions
function M.why_off(bufnr)
  bufnr = (bufnr == nil or bufnr == 0) and vim.api.nvim_get_current_buf() or bufnr
  if not is_file(bufnr) then
    return 'not a file that can be edited'
  end
  local globally = global
  if globally == nil then
    globally = config.get().enabled
  end
  if not globally then
    return 'switched off everywhere'
  end
  local own = vim.b[bufnr][OWN]
  if own ~= nil then
    return not own and 'switched off in this buffer' or nil
  end
  local filetype = vim.bo[bufnr].filetype
  if not filetype_enabled(filetype) then
    return filetype == '' and 'off in buffers without a filetype' or ('off for filetype %s'):format(filetype)
  end
end

--- Report why there are no suggestions in the current buffer.
function M.explain_off()
  local why = M.why_off(0) or 'the server is not running; :CopilotServer restart starts it'
  server.notify('no suggestions: ' .. why, vim.log.levels.WARN)
end

--- The root folder of a buffer's project.
---@param bufnr integer
---@return string?
local function root(bufnr)
  if vim.api.nvim_buf_get_name(bufnr) == '' then
    return vim.uv.cwd()
  end
  return vim.fs.root(bufnr, { '.git', '.hg', '.jj', '.copilotignore' })
end

--- Start or reuse the server for a buffer, unless it is off. Neovim calls this for each one with a filetype.
---@param bufnr integer
---@param on_dir fun(root_dir?: string)
function M.root_dir(bufnr, on_dir)
  if M.why_off(bufnr) then
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
  return client.name == wanted.name and not server.is_stopped(client)
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
  local client = server.client(bufnr)
  local off = M.why_off(bufnr) ~= nil
  if client and off then
    vim.lsp.buf_detach_client(bufnr, client.id)
  elseif not client and not off then
    if server.command() then
      start(bufnr)
    else
      server.notify_missing()
    end
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

--- Detach a buffer that is deleted. If Neovim no longer tracks its changes (see sync.lua), it would not
--- notice, and would raise an error when the client ends.
---@param bufnr integer
function M.forget(bufnr)
  local client = server.client(bufnr)
  if client then
    vim.lsp.buf_detach_client(bufnr, client.id)
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
  M.attach_all()
  require('copilot_server.suggestion').refresh()
  require('copilot_server.status').announce()
end

--- Whether suggestions are on in a scope.
---@param scope? copilot_server.Scope default: buffer, for which all switches count
---@return boolean
function M.is_enabled(scope)
  if scope == 'global' then
    if global == nil then
      return config.get().enabled
    end
    return global
  elseif scope == 'filetype' then
    return filetype_enabled(vim.bo.filetype)
  end
  return M.why_off(0) == nil
end

return M
