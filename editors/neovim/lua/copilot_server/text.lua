--- Units of text, which are bytes here and others in the protocol, and words and lines of a suggestion.

local M = {}

local IS_011 = vim.fn.has('nvim-0.11') == 1

--- The number of UTF-16 code units in a text.
---@param text string
---@return integer
function M.utf16_length(text)
  if IS_011 then
    return vim.str_utfindex(text, 'utf-16')
  end
  return select(2, vim.str_utfindex(text))
end

--- The number of units of an encoding in a text.
---@param text string
---@param encoding 'utf-8'|'utf-16'|'utf-32'
---@return integer
function M.length(text, encoding)
  if encoding == 'utf-8' then
    return #text
  elseif encoding == 'utf-16' then
    return M.utf16_length(text)
  end
  return vim.fn.strchars(text)
end

--- The byte index of a position of the protocol, at most the line's end.
---@param line string
---@param character integer
---@param encoding 'utf-8'|'utf-16'|'utf-32'
---@return integer
function M.byte_column(line, character, encoding)
  if encoding == 'utf-8' then
    return math.min(character, #line)
  elseif IS_011 then
    return vim.str_byteindex(line, encoding, character, false)
  end
  local utf32, utf16 = vim.str_utfindex(line)
  local length = encoding == 'utf-16' and utf16 or utf32
  return vim.str_byteindex(line, math.min(character, length), encoding == 'utf-16')
end

-- Any byte of a character outside ASCII belongs to a word.
local WORD = '[%w_\128-\255]+'
local SIGNS = '[^%w_%s\128-\255]+'

--- The next word of a text, with the white space before it; a run of punctuation is a word.
---@param text string
---@return string
function M.first_word(text)
  return text:match('^%s*' .. WORD) or text:match('^%s*' .. SIGNS) or text
end

--- The next line of a text, with the line breaks before it, without the one after.
---@param text string
---@return string
function M.first_line(text)
  return text:match('^\n*[^\n]+') or text
end

return M
