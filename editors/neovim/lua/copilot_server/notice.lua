--- A message beside the cursor, for an answer to a request that has nothing to suggest. It goes with the next
--- key. Messages in the command line would interrupt typing: a long one waits for <CR>.

local server = require('copilot_server.server')

local M = {}

local NAMESPACE = vim.api.nvim_create_namespace('copilot_server_notice')
local MARK = 1

---@type integer? the buffer that has the message
local shown_in
---@type [integer, integer]? where the cursor was then
local shown_at

--- The lines of a message, each no wider than `width` cells if its words allow that.
---@param message string
---@param width integer
---@return string[]
local function wrap(message, width)
  local lines = {}
  for word in message:gmatch('%S+') do
    local last = lines[#lines]
    if last and vim.fn.strdisplaywidth(last .. ' ' .. word) <= width then
      lines[#lines] = last .. ' ' .. word
    else
      table.insert(lines, word)
    end
  end
  return lines
end

--- How many cells are left beside the text of the cursor's line, and how many a line has.
---@return integer left, integer width
local function space()
  local window = vim.fn.getwininfo(vim.api.nvim_get_current_win())[1]
  local width = window.width - window.textoff
  return width - vim.fn.strdisplaywidth(vim.api.nvim_get_current_line()), width
end

--- Hide the message.
function M.clear()
  if shown_in and vim.api.nvim_buf_is_valid(shown_in) then
    vim.api.nvim_buf_clear_namespace(shown_in, NAMESPACE, 0, -1)
  end
  shown_in, shown_at = nil, nil
end

--- Show a message beside the cursor, or below its line where it does not fit; outside insert mode, as any
--- other.
---@param message string
function M.show(message)
  if not vim.startswith(vim.api.nvim_get_mode().mode, 'i') then
    server.notify(message, vim.log.levels.WARN)
    return
  end
  local ghost = require('copilot_server.ghost')
  local text = ghost.printable((message:gsub('\n', ' ')))
  local left, width = space()
  local function chunk(line)
    return { { '  ' .. line, ghost.ANNOTATION } }
  end
  local beside = vim.fn.strdisplaywidth(text) + 3 <= left
  local lines = beside and { text } or wrap(text, width - 3)
  M.clear()
  shown_in, shown_at = vim.api.nvim_get_current_buf(), vim.api.nvim_win_get_cursor(0)
  vim.api.nvim_buf_set_extmark(shown_in, NAMESPACE, shown_at[1] - 1, 0, {
    id = MARK,
    virt_text = beside and chunk(lines[1]) or nil,
    virt_text_pos = 'eol',
    virt_lines = not beside and vim.tbl_map(chunk, lines) or nil,
  })
end

--- Hide the message if the cursor has left the position that it is about.
function M.moved()
  if shown_at and not vim.deep_equal(shown_at, vim.api.nvim_win_get_cursor(0)) then
    M.clear()
  end
end

return M
