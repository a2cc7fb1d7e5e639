--- Suggestions as entries of the completion menu.

local M = {}

--- Restore line breaks: Neovim inserts a menu entry of several lines as one line, with a NUL for each break.
function M.break_lines()
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  local line = vim.api.nvim_get_current_line()
  if not line:find('%z') then
    return
  end
  local before = vim.split(line:sub(1, col), '\0', { plain = true })
  vim.api.nvim_buf_set_lines(0, row - 1, row, true, vim.split(line, '\0', { plain = true }))
  vim.api.nvim_win_set_cursor(0, { row + #before - 1, #before[#before] })
end

return M
