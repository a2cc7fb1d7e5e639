--- One request for a cursor, however many parts of Neovim ask: ghost text and a completion menu's source.
---
--- The server answers only the last request for a document, so a second one for the same cursor would cancel the
--- first. Whoever asks for what is being computed waits for the same answer instead.

local server = require('copilot_server.server')

local M = {}

local METHOD = 'textDocument/inlineCompletion'

---@alias copilot_server.Use fun(err: lsp.ResponseError?, result: any)

---@class copilot_server.Shared
---@field client vim.lsp.Client
---@field at copilot_server.Cursor
---@field kind integer
---@field id? integer nil before the request is sent
---@field waiting table<table, copilot_server.Use> who waits for the answer

---@type copilot_server.Shared?
local running

---@param one copilot_server.Shared
---@param err lsp.ResponseError?
---@param result any
local function answer(one, err, result)
  if running == one then
    running = nil
  end
  for _, use in pairs(one.waiting) do
    use(err, result)
  end
  one.waiting = {}
end

---@param client vim.lsp.Client
---@param at copilot_server.Cursor
---@param kind integer
---@return copilot_server.Shared? sent nil if the server has ended
local function send(client, at, kind)
  local one = { client = client, at = at, kind = kind, waiting = {} }
  require('copilot_server.sync').ensure(client, at.bufnr)
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.context = { triggerKind = kind }
  one.id = server.request(client, METHOD, params, function(err, result)
    answer(one, err, result)
  end, at.bufnr)
  return one.id and one or nil
end

---@param client vim.lsp.Client
---@param at copilot_server.Cursor
---@param kind integer
---@return boolean
local function is_running(client, at, kind)
  return running ~= nil
    and running.client.id == client.id
    and running.kind == kind
    and vim.deep_equal(running.at, at)
    and next(running.waiting) ~= nil
end

--- Request suggestions at the cursor of the current window, or wait for those that are requested already.
---@param client vim.lsp.Client
---@param at copilot_server.Cursor where the cursor is now
---@param kind integer invoked or automatic
---@param use copilot_server.Use called with the answer, unless that is cancelled
---@return fun()? cancel nil if the server has ended
function M.ask(client, at, kind, use)
  local one = is_running(client, at, kind) and running or send(client, at, kind)
  if not one then
    return
  end
  running = one
  local me = {}
  one.waiting[me] = use
  return function()
    local waited = one.waiting[me] ~= nil
    one.waiting[me] = nil
    if waited and next(one.waiting) == nil then
      server.cancel(one.client, one.id)
    end
  end
end

return M
