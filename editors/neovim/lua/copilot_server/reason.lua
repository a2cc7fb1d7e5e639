--- Why there is no suggestion, in words, with the command that helps.

local attach = require('copilot_server.attach')
local notice = require('copilot_server.notice')
local server = require('copilot_server.server')

local M = {}

---@class copilot_server.Reason what the server answers to `copilotServer/whyNothing`
---@field code string
---@field message string
---@field percent? number

--- What helps, by the code of a reason.
---@type table<string, string>
local REMEDIES = {
  off = ':CopilotServer enable',
  buffer = ':CopilotServer enable buffer',
  snoozed = ':CopilotServer resume',
  manual = ':CopilotServer automatic',
  consent = ':CopilotServer fetch',
  engine = ':CopilotServer restart, or :CopilotServer log',
}

--- A reason in words.
---@param reason copilot_server.Reason
---@return string
function M.words(reason)
  local remedy = REMEDIES[reason.code]
  local text = reason.message
  local percent = type(reason.percent) == 'number' and reason.code == 'loading' and math.floor(reason.percent)
  if percent and not text:find('%d+ ?%%') then
    text = ('%s (%d %%)'):format(text, percent)
  end
  return remedy and ('%s  %s'):format(text, remedy) or text
end

--- Say why the server does not see the current buffer.
function M.explain_unattached()
  local why, code = attach.why_off(0)
  if why and code ~= 'language' then
    notice.show(M.words({ code = code, message = 'No suggestions: ' .. why .. '.' }))
  elseif server.is_stopped_by_user() then
    notice.show(M.words({ code = 'engine', message = 'No suggestions: the server was stopped.' }))
  elseif server.command() then
    notice.show(M.words({ code = 'engine', message = 'No suggestions: the server is not running.' }))
  else
    notice.show('No suggestions: ' .. server.REMEDY)
  end
end

--- Ask why the last request for a buffer was answered with nothing.
---@param client vim.lsp.Client
---@param bufnr integer
---@param use fun(words: string)
function M.ask(client, bufnr, use)
  local params = { textDocument = { uri = vim.uri_from_bufnr(bufnr) } }
  server.request(client, 'copilotServer/whyNothing', params, function(err, reason)
    local known = not err and type(reason) == 'table' and type(reason.message) == 'string'
    use(known and M.words(reason) or 'No suggestion here.')
  end, bufnr)
end

return M
