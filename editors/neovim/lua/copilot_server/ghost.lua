--- Drawing a suggestion that is not in the buffer.

local M = {}

local NAMESPACE = vim.api.nvim_create_namespace('copilot_server')
local MARK, HIDDEN_MARK = 1, 2

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

--- Draw in the current window alone: others that show the same buffer would move while the user types.
local function draw_in_this_window()
  if vim.api.nvim__ns_set then -- Neovim 0.11
    vim.api.nvim__ns_set(NAMESPACE, { wins = { vim.api.nvim_get_current_win() } })
  end
end

--- Say how many lines of a suggestion the window has no room for below the cursor.
---@param at copilot_server.Position
---@param count integer how many lines are drawn below the cursor's
local function count_hidden(at, count)
  local hidden = math.min(count, count - (vim.api.nvim_win_get_height(0) - vim.fn.winline()))
  if hidden <= 0 then
    vim.api.nvim_buf_del_extmark(at.bufnr, NAMESPACE, HIDDEN_MARK)
    return
  end
  local hint = ('… %d more line%s'):format(hidden, hidden == 1 and '' or 's')
  vim.api.nvim_buf_set_extmark(at.bufnr, NAMESPACE, at.row, 0, {
    id = HIDDEN_MARK,
    virt_text = { { hint, M.ANNOTATION } },
    virt_text_pos = 'eol',
  })
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
  draw_in_this_window()
  vim.api.nvim_buf_set_extmark(at.bufnr, NAMESPACE, at.row, at.col, {
    id = MARK,
    virt_text = chunks[1],
    virt_text_pos = position,
    virt_lines = vim.list_slice(chunks, 2),
    hl_mode = 'combine',
  })
  count_hidden(at, #chunks - 1)
end

---@param bufnr integer
function M.clear(bufnr)
  if vim.api.nvim_buf_is_valid(bufnr) then
    vim.api.nvim_buf_clear_namespace(bufnr, NAMESPACE, 0, -1)
  end
end

return M
