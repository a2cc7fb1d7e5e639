--- Suggestions as the entries that completion plugins show: items of LSP with columns in bytes.

local text_units = require('copilot_server.text')

local M = {}

local PLAIN_TEXT, AS_IS = 1, 1
local KIND_TEXT = vim.lsp.protocol.CompletionItemKind.Text

--- The name that stands in the menu where other entries have a kind, such as Function.
M.KIND = 'Suggestion'

---@class copilot_server.MenuData what an entry carries to report what became of it
---@field client_id integer
---@field bufnr integer
---@field raw lsp.InlineCompletionItem

--- A text in a block of code, whose fence no line of the text can end.
---@param text string
---@param filetype string
---@return string
local function fenced(text, filetype)
  local longest = 2
  for ticks in text:gmatch('`+') do
    longest = math.max(longest, #ticks)
  end
  local fence = ('`'):rep(longest + 1)
  return table.concat({ fence .. filetype:gsub('[^%w_+-]', ''), text, fence }, '\n')
end

---@param text string
---@return string label its first line that is not blank
---@return integer lines how many it has
local function summary(text)
  local label = vim.trim(text):match('^[^\n]*')
  return label, select(2, vim.trim(text):gsub('\n', '')) + 1
end

--- An entry for a suggestion.
---@param suggestion copilot_server.Suggestion
---@param rank integer
---@param word_col integer where the word begins that the plugin filters by, in bytes
---@return table? item nil if there is nothing to add to what has been typed
local function entry(suggestion, rank, word_col)
  local item, before = suggestion.items[rank], suggestion.before
  local typed = before:sub(item.start_col + 1)
  if not vim.startswith(item.text, typed) or #item.text == #typed then
    return
  end
  local rest = item.text:sub(#typed + 1)
  local start_col = math.min(word_col, #before)
  local whole = before:sub(start_col + 1) .. rest
  local label, lines = summary(whole)
  local position = { line = suggestion.row, character = start_col }
  return {
    label = label,
    labelDetails = lines > 1 and { description = ('%d lines'):format(lines) } or nil,
    kind = KIND_TEXT,
    -- Only the word: another one than was suggested would else match somewhere in a long text.
    filterText = before:sub(start_col + 1) .. text_units.first_word(rest),
    sortText = ('%04d'):format(rank),
    documentation = { kind = 'markdown', value = fenced(whole, vim.bo[suggestion.bufnr].filetype) },
    textEdit = {
      newText = whole,
      range = {
        start = position,
        ['end'] = { line = suggestion.row, character = #before + #item.replaced },
      },
    },
    insertTextFormat = PLAIN_TEXT,
    insertTextMode = AS_IS,
    data = { copilot_server = { client_id = suggestion.client_id, bufnr = suggestion.bufnr, raw = item.raw } },
  }
end

--- The entries for an answer, in its order.
---@param suggestion copilot_server.Suggestion
---@param word_col integer where the word begins that the plugin filters by, in bytes
---@return table[]
function M.entries(suggestion, word_col)
  local entries = {}
  for rank in ipairs(suggestion.items) do
    entries[#entries + 1] = entry(suggestion, rank, word_col)
  end
  return entries
end

--- What an entry carries, if it is one of ours.
---@param item table
---@return copilot_server.MenuData?
function M.data(item)
  return type(item.data) == 'table' and item.data.copilot_server or nil
end

return M
