--- Drawing a suggestion that is not in the buffer.

local M = {}

local NAMESPACE = vim.api.nvim_create_namespace('copilot_server')
local MARK = 1

M.HIGHLIGHT = 'CopilotServerSuggestion'
M.ANNOTATION = 'CopilotServerAnnotation'

--- Define the highlight groups unless the colour scheme does. NonText, which Neovim uses for its own hints,
--- is too faint to read.
function M.define_highlights()
  local more = vim.fn.hlexists('ComplHintMore') == 1 and 'ComplHintMore' or 'MoreMsg'
  vim.api.nvim_set_hl(0, M.HIGHLIGHT, { default = true, link = 'Comment' })
  vim.api.nvim_set_hl(0, M.ANNOTATION, { default = true, link = more })
end

--- Show control characters, which a terminal could interpret, as Neovim shows them in a buffer; tabs stay.
---@param line string
---@return string
function M.printable(line)
  return (line:gsub('[%z\1-\8\10-\31\127]', vim.fn.strtrans))
end

--- How to draw the first line: inline if it only adds to what it replaces, or else as an overlay over it.
---@param text string one line or more
---@param replaced string what follows the cursor and is replaced when the suggestion is accepted
---@return string text, 'inline'|'overlay' position, integer width in cells that must be covered
local function layout(text, replaced)
  if replaced == '' then
    return text, 'inline', 0
  elseif vim.endswith(text, replaced) and not text:find('\n') then
    return text:sub(1, -#replaced - 1), 'inline', 0
  end
  return text, 'overlay', vim.fn.strdisplaywidth(replaced)
end

--- Put a hint after the last line, or below it if the window would cut it off.
---@param chunks [string, string][][] one line each
---@param hint string
local function annotate(chunks, hint)
  local last = chunks[#chunks]
  local window = vim.fn.getwininfo(vim.api.nvim_get_current_win())[1]
  local available = window.width - window.textoff
  if #chunks > 1 and vim.fn.strdisplaywidth(last[1][1] .. hint) > available then
    table.insert(chunks, { { vim.trim(hint), M.ANNOTATION } })
  else
    table.insert(last, { hint, M.ANNOTATION })
  end
end

---@class copilot_server.Position
---@field bufnr integer
---@field row integer from 0
---@field col integer bytes

--- Draw a text at a position, in place of an earlier one.
---@param at copilot_server.Position
---@param text string
---@param replaced string
---@param hint? string drawn after the text
function M.draw(at, text, replaced, hint)
  local shown, position, width = layout(text, replaced)
  local lines = vim.tbl_map(M.printable, vim.split(shown, '\n', { plain = true }))
  lines[1] = lines[1] .. (' '):rep(width - vim.fn.strdisplaywidth(lines[1]))
  local chunks = vim.tbl_map(function(line)
    return { { line, M.HIGHLIGHT } }
  end, lines)
  if hint then
    annotate(chunks, hint)
  end
  vim.api.nvim_buf_set_extmark(at.bufnr, NAMESPACE, at.row, at.col, {
    id = MARK,
    virt_text = chunks[1],
    virt_text_pos = position,
    virt_lines = vim.list_slice(chunks, 2),
    hl_mode = 'combine',
  })
end

---@param bufnr integer
function M.clear(bufnr)
  if vim.api.nvim_buf_is_valid(bufnr) then
    vim.api.nvim_buf_clear_namespace(bufnr, NAMESPACE, 0, -1)
  end
end

return M
