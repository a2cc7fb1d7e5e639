--- Snippets that are being filled in: Neovim's own and LuaSnip's.

local M = {}

--- What a key does without us; `default`: Neovim's own mapping.
---@alias copilot_server.Before 'nothing'|'default'|'own'

---@return boolean
local function luasnip_can_jump()
  local luasnip = package.loaded['luasnip']
  return type(luasnip) == 'table'
    and type(luasnip.locally_jumpable) == 'function'
    and luasnip.locally_jumpable(1) == true
end

--- Whether a key would jump to the next field of a snippet. Neovim's own mapping knows Neovim's snippets only.
---@param before copilot_server.Before
---@return boolean
function M.jumps_by(before)
  if before == 'nothing' then
    return false
  end
  return vim.snippet.active({ direction = 1 }) or (before == 'own' and luasnip_can_jump())
end

return M
