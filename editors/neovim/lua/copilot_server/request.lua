--- Requests for completions at the cursor: one at a time, and only the answer to the last one counts.

local items = require('copilot_server.item')
local server = require('copilot_server.server')

local M = {}

M.INVOKED, M.AUTOMATIC = 1, 2

---@type { cancel: fun(), kind: integer, at: copilot_server.Cursor }?
local pending
---@type uv.uv_timer_t?
local timer

--- Whether a macro is recorded, which would not have the text that is accepted, or runs.
---@return boolean
function M.in_macro()
  return vim.fn.reg_recording() ~= '' or vim.fn.reg_executing() ~= ''
end

--- Whether a suggestion may be shown at all.
---@return boolean
function M.inserting()
  return vim.startswith(vim.api.nvim_get_mode().mode, 'i') and not M.in_macro()
end

--- Cancel the running request, and the scheduled one.
function M.cancel()
  if timer then
    timer:stop()
    timer:close()
    timer = nil
  end
  if pending then
    pending.cancel()
    pending = nil
  end
end

--- Run an action after a delay, unless another one is scheduled before that.
---@param wait_ms integer
---@param action fun()
function M.soon(wait_ms, action)
  M.cancel()
  timer = vim.defer_fn(function()
    timer = nil
    action()
  end, wait_ms)
end

--- Whether an explicit request for the position of the cursor waits for its answer.
---@return boolean
function M.awaits_invoked()
  return pending ~= nil and pending.kind == M.INVOKED and vim.deep_equal(pending.at, items.cursor())
end

--- Send a request. Its answer is not used if the text or the cursor has changed by then.
---@param kind integer
---@param use fun(suggestion: copilot_server.Suggestion?, err: lsp.ResponseError?)
---@return boolean asked
function M.ask(kind, use)
  local at = items.cursor()
  local client = server.client(at.bufnr)
  if not client then
    return false
  end
  M.cancel()
  local own
  local cancel = require('copilot_server.shared').ask(client, at, kind, function(err, result)
    if pending ~= own then
      return
    end
    pending = nil
    if M.inserting() and vim.deep_equal(at, items.cursor()) then
      use(not err and items.read(result, at, client, kind == M.INVOKED) or nil, err)
    end
  end)
  own = cancel and { cancel = cancel, kind = kind, at = at } or nil
  pending = own
  return cancel ~= nil
end

return M
