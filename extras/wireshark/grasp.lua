-- Wireshark dissector for GRASP, the GeneRic Autonomic Signaling Protocol (RFC 8990).
--
-- UDP and TCP on port 7017, and TCP on the ports that messages seen before name: locators of M_RESPONSE and M_FLOOD,
-- and the port a discovery came from. Messages are CBOR items without a length in front, so a stream is put together
-- until an item is complete. See README.md beside this file. Lua 5.2 and later.

local grasp = Proto("grasp", "GeneRic Autonomic Signaling Protocol")

local TCP, UDP = 6, 17
local MAX_DEPTH, MAX_ITEMS = 64, 16384

local M_NOOP, M_DISCOVERY, M_RESPONSE, M_REQ_NEG, M_REQ_SYN, M_NEGOTIATE = 0, 1, 2, 3, 4, 5
local M_END, M_WAIT, M_SYNCH, M_FLOOD, M_INVALID = 6, 7, 8, 9, 99
local O_DIVERT, O_ACCEPT, O_DECLINE, O_IPV6, O_IPV4, O_FQDN, O_URI = 100, 101, 102, 103, 104, 105, 106

local TYPES = {
  [0] = "M_NOOP", [1] = "M_DISCOVERY", [2] = "M_RESPONSE", [3] = "M_REQ_NEG", [4] = "M_REQ_SYN",
  [5] = "M_NEGOTIATE", [6] = "M_END", [7] = "M_WAIT", [8] = "M_SYNCH", [9] = "M_FLOOD", [99] = "M_INVALID",
}
local OPTIONS = {
  [100] = "O_DIVERT", [101] = "O_ACCEPT", [102] = "O_DECLINE", [103] = "O_IPv6_LOCATOR",
  [104] = "O_IPv4_LOCATOR", [105] = "O_FQDN_LOCATOR", [106] = "O_URI_LOCATOR",
}
local PROTOCOLS = { [6] = "tcp", [17] = "udp" }

local f = {
  type = ProtoField.uint8("grasp.type", "Message type", base.DEC, TYPES),
  session = ProtoField.uint32("grasp.session", "Session ID"),
  initiator = ProtoField.string("grasp.initiator", "Initiator"),
  ttl = ProtoField.uint32("grasp.ttl", "TTL (ms)"),
  waiting_time = ProtoField.uint32("grasp.waiting_time", "Waiting time (ms)"),
  objective = ProtoField.string("grasp.objective", "Objective"),
  flags = ProtoField.uint8("grasp.flags", "Flags", base.HEX),
  flags_disc = ProtoField.bool("grasp.flags.disc", "F_DISC", 8, nil, 0x01),
  flags_neg = ProtoField.bool("grasp.flags.neg", "F_NEG", 8, nil, 0x02),
  flags_synch = ProtoField.bool("grasp.flags.synch", "F_SYNCH", 8, nil, 0x04),
  flags_dry = ProtoField.bool("grasp.flags.neg_dry", "F_NEG_DRY", 8, nil, 0x08),
  loop_count = ProtoField.uint8("grasp.loop_count", "Loop count"),
  value = ProtoField.string("grasp.value", "Value"),
  option = ProtoField.uint8("grasp.option", "Option", base.DEC, OPTIONS),
  locator = ProtoField.string("grasp.locator", "Locator"),
  locator_address = ProtoField.string("grasp.locator.address", "Address, name or URI"),
  locator_protocol = ProtoField.uint8("grasp.locator.protocol", "Protocol", base.DEC, PROTOCOLS),
  locator_port = ProtoField.uint16("grasp.locator.port", "Port"),
  reason = ProtoField.string("grasp.reason", "Reason"),
  info = ProtoField.string("grasp.info", "Diagnostic content"),
  cbor = ProtoField.string("grasp.cbor", "CBOR"),
  problem = ProtoField.string("grasp.problem", "Problem"),
}
grasp.fields = {}
for _, field in pairs(f) do table.insert(grasp.fields, field) end

local malformed = ProtoExpert.new("grasp.malformed", "Not a valid GRASP message", expert.group.MALFORMED,
  expert.severity.ERROR)
grasp.experts = { malformed }

grasp.prefs.ports = Pref.range("Ports", "7017", "UDP and TCP ports of GRASP", 65535)

---------------------------------------------------------------------------------------------------------------- CBOR

-- Strict UTF-8 (RFC 3629).
local function is_utf8(text)
  local i, n = 1, #text
  while i <= n do
    local c = text:byte(i)
    local more, low, high = 0, 0x80, 0xbf
    if c >= 0x80 then
      if c >= 0xc2 and c <= 0xdf then more = 1
      elseif c >= 0xe0 and c <= 0xef then
        more = 2
        if c == 0xe0 then low = 0xa0 elseif c == 0xed then high = 0x9f end
      elseif c >= 0xf0 and c <= 0xf4 then
        more = 3
        if c == 0xf0 then low = 0x90 elseif c == 0xf4 then high = 0x8f end
      else return false end
    end
    for k = 1, more do
      local b = text:byte(i + k)
      if b == nil or b < low or b > high then return false end
      low, high = 0x80, 0xbf
    end
    i = i + more + 1
  end
  return true
end

-- Reads the item at `at`. Returns it and where it ends; or nil and "more", or nil and what is wrong.
-- An item: major, value (number; UInt64 beyond 32 bits), at, to, items (of arrays, maps, tags, chunked strings).
local function read_item(tvb, at, depth, budget)
  if depth > MAX_DEPTH then return nil, "nested too deeply" end
  budget.items = budget.items + 1
  if budget.items > MAX_ITEMS then return nil, "too many items" end
  local size = tvb:len()
  if at >= size then return nil, "more" end
  local head = tvb(at, 1):uint()
  local major, info = math.floor(head / 32), head % 32
  local item = { major = major, info = info, at = at, value = info }
  local next = at + 1
  if info >= 28 and (info < 31 or major < 2 or major == 6) then return nil, "reserved encoding" end
  if info >= 24 and info < 28 then
    local width = 2 ^ (info - 24)
    if next + width > size then return nil, "more" end
    if width == 8 then
      item.value = tvb(next, 8):uint64()
      item.high = tvb(next, 4):uint()
      if item.high == 0 then item.value = tvb(next + 4, 4):uint() end
    else item.value = tvb(next, width):uint() end
    next = next + width
  end
  local function children(count)
    item.items = {}
    while count == nil or #item.items < count do
      if count == nil and next < size and tvb(next, 1):uint() == 0xff then
        if major == 5 and #item.items % 2 == 1 then return nil, "break after a key" end
        next = next + 1
        break
      end
      local child, to = read_item(tvb, next, depth + 1, budget)
      if child == nil then return nil, to end
      if (major == 2 or major == 3) and (child.major ~= major or child.info == 31) then
        return nil, "a chunk of another type"
      end
      table.insert(item.items, child)
      next = to
    end
    return true
  end
  if major == 7 then
    if info == 31 then return nil, "a break outside" end
    if info == 24 and item.value < 32 then return nil, "a simple value in two bytes" end
    item.width = next - at - 1
  elseif info == 31 then
    item.indefinite = true
    local ok, why = children(nil)
    if not ok then return nil, why end
  elseif major >= 2 and major <= 5 then
    if type(item.value) ~= "number" or item.value > 16777216 then return nil, "a length beyond all limits" end
    if major <= 3 then
      if next + item.value > size then return nil, "more" end
      item.from = next
      next = next + item.value
      if major == 3 and item.value > 0 and not is_utf8(tvb:raw(item.from, item.value)) then
        return nil, "text that is not UTF-8"
      end
    else
      local count = major == 4 and item.value or 2 * item.value
      if count > MAX_ITEMS then return nil, "too many items" end
      local ok, why = children(count)
      if not ok then return nil, why end
    end
  elseif major == 6 then
    local ok, why = children(1)
    if not ok then return nil, why end
  end
  item.to = next
  return item, next
end

-- Bytes of a string, chunks put together.
local function string_of(tvb, item)
  if item.items then
    local parts = {}
    for _, chunk in ipairs(item.items) do table.insert(parts, string_of(tvb, chunk)) end
    return table.concat(parts)
  end
  return item.value == 0 and "" or tvb:raw(item.from, item.value)
end

local function quoted(text)
  return '"' .. text:gsub('[%c"\\]', function(c)
    if c == '"' or c == "\\" then return "\\" .. c end
    return string.format("\\u%04x", c:byte())
  end) .. '"'
end

local function hex(text)
  return "h'" .. text:gsub(".", function(c) return string.format("%02x", c:byte()) end) .. "'"
end

local function half(bits)
  local sign = bits >= 0x8000 and -1 or 1
  local exponent, fraction = math.floor(bits / 1024) % 32, bits % 1024
  if exponent == 0 then return sign * fraction * 2 ^ -24 end
  if exponent == 31 then return fraction == 0 and sign * math.huge or 0 / 0 end
  return sign * (1 + fraction / 1024) * 2 ^ (exponent - 15)
end

local function float(value)
  if value ~= value then return "NaN" end
  if value == math.huge then return "Infinity" end
  if value == -math.huge then return "-Infinity" end
  local text = string.format("%.15g", value)
  if tonumber(text) ~= value then text = string.format("%.17g", value) end
  return text:find("[.e]") and text or text .. ".0"
end

-- Diagnostic notation (RFC 8949 §8).
local function show(tvb, item)
  local major = item.major
  local parts = {}
  if item.items and major < 6 then
    for i, child in ipairs(item.items) do
      local text = show(tvb, child)
      if major == 5 and i % 2 == 0 then parts[#parts] = parts[#parts] .. ": " .. text
      else table.insert(parts, text) end
    end
  end
  local list = (item.indefinite and "_ " or "") .. table.concat(parts, ", ")
  if major == 0 then
    return type(item.value) == "number" and string.format("%.0f", item.value) or tostring(item.value)
  end
  if major == 1 then
    if type(item.value) == "number" then return string.format("%.0f", -1 - item.value) end
    local next = item.value + UInt64(1)
    return "-" .. (next == UInt64(0) and "18446744073709551616" or tostring(next))
  end
  if major == 4 then return "[" .. list .. "]" end
  if major == 5 then return "{" .. list .. "}" end
  if major == 6 then return show(tvb, { major = 0, value = item.value }) .. "(" .. show(tvb, item.items[1]) .. ")" end
  if major == 7 then
    local simple = { [20] = "false", [21] = "true", [22] = "null", [23] = "undefined" }
    if item.width == 2 then return float(half(item.value)) end
    if item.width >= 4 then return float(tvb(item.at + 1, item.width):float()) end
    return simple[item.value] or "simple(" .. item.value .. ")"
  end
  if item.items then return "(" .. list .. ")" end
  return major == 2 and hex(string_of(tvb, item)) or quoted(string_of(tvb, item))
end

------------------------------------------------------------------------------------------------------------- messages

local function uint(item, most)
  return item ~= nil and item.major == 0 and type(item.value) == "number" and item.value <= most and item.value or nil
end

local function range(tvb, item) return tvb(item.at, item.to - item.at) end

local function is_text(item) return item ~= nil and item.major == 3 end
local function is_array(item) return item ~= nil and item.major == 4 end

-- The text of an address in a byte string; nil if it is none.
local function address_text(tvb, item, length)
  if item == nil or item.major ~= 2 then return nil end
  local bytes = string_of(tvb, item)
  if length and #bytes ~= length or (#bytes ~= 16 and #bytes ~= 4) then return nil end
  if item.from then
    local at = tvb(item.from, #bytes)
    return tostring(#bytes == 16 and at:ipv6() or at:ipv4())
  end
  local all = ByteArray.new((bytes:gsub(".", function(c) return string.format("%02x", c:byte()) end))):tvb("address")
  return tostring(#bytes == 16 and all(0, 16):ipv6() or all(0, 4):ipv4())
end

-- What is wrong with it is collected, so that all that can be read is shown.
local function wrong(context, what)
  if context.problem == nil then context.problem = what end
end

local function add_objective(context, tree, item)
  local tvb = context.tvb
  if not is_array(item) or #item.items < 3 or #item.items > 4 then
    wrong(context, "the objective is no array of 3 or 4")
    return
  end
  local name, flags, loop, value = item.items[1], item.items[2], item.items[3], item.items[4]
  if not is_text(name) or not uint(loop, 255) or not uint(flags, 4294967295) then
    wrong(context, "the objective has no name, flags and loop count")
    return
  end
  local text = string_of(tvb, name)
  local branch = tree:add(grasp, range(tvb, item), "Objective: " .. text)
  branch:add(f.objective, range(tvb, name), text)
  local bits = branch:add(f.flags, range(tvb, flags), flags.value % 256)
  for _, each in ipairs({ f.flags_disc, f.flags_neg, f.flags_synch, f.flags_dry }) do
    bits:add(each, range(tvb, flags), flags.value % 256)
  end
  branch:add(f.loop_count, range(tvb, loop), loop.value)
  if value then branch:add(f.value, range(tvb, value), show(tvb, value)) end
  table.insert(context.names, text)
end

-- A locator option: shown, and remembered as a place to expect GRASP at.
local function add_locator(context, tree, item, strong)
  local tvb = context.tvb
  local option = uint(item.items[1], 255)
  local where, protocol, port = item.items[2], item.items[3], item.items[4]
  local text
  if option == O_IPV6 then text = address_text(tvb, where, 16)
  elseif option == O_IPV4 then text = address_text(tvb, where, 4)
  elseif is_text(where) then text = string_of(tvb, where) end
  if text == nil or #item.items ~= 4 then
    wrong(context, "a locator of the wrong shape")
    return
  end
  local number, by = uint(port, 65535), uint(protocol, 255)
  local shown = option == O_IPV6 and "[" .. text .. "]" or text
  if number then shown = shown .. ":" .. string.format("%d", number) end
  if by then shown = shown .. " " .. (PROTOCOLS[by] or string.format("%d", by)) end
  local branch = tree:add(f.locator, range(tvb, item), shown)
  branch:add(f.option, range(tvb, item.items[1]), option)
  branch:add(f.locator_address, range(tvb, where), text)
  if by then branch:add(f.locator_protocol, range(tvb, protocol), by) end
  if number then
    branch:add(f.locator_port, range(tvb, port), number)
    if by ~= UDP then context.learn(option <= O_IPV4 and text or "*", number, strong and option <= O_IPV4) end
  end
end

local function option_of(item) return is_array(item) and uint(item.items[1], 255) or nil end

local function is_locator(item)
  local option = option_of(item)
  return option ~= nil and option >= O_IPV6 and option <= O_URI
end

local function add_divert(context, tree, item)
  local branch = tree:add(f.option, range(context.tvb, item), O_DIVERT)
  if #item.items < 2 then wrong(context, "an empty divert") end
  for i = 2, #item.items do
    if is_locator(item.items[i]) then add_locator(context, branch, item.items[i], true) end
  end
end

local function add_response(context, tree, items)
  local found = false
  for i = 5, #items do
    local item = items[i]
    if is_locator(item) then
      add_locator(context, tree, item, true)
      found = true
    elseif option_of(item) == O_DIVERT then
      add_divert(context, tree, item)
      found = true
    elseif is_array(item) and is_text(item.items[1]) then add_objective(context, tree, item)
    elseif option_of(item) == nil then wrong(context, "an element that is no option") end
  end
  if not found then wrong(context, "neither a locator nor a divert") end
end

local function add_end(context, tree, items)
  local tvb = context.tvb
  local found = 0
  for i = 3, #items do
    local option = option_of(items[i])
    if option == O_ACCEPT or option == O_DECLINE then
      found = found + 1
      tree:add(f.option, range(tvb, items[i]), option)
      table.insert(context.names, OPTIONS[option])
      local reason = items[i].items[2]
      if reason and (option == O_ACCEPT or not is_text(reason)) then wrong(context, "an option of the wrong shape")
      elseif reason then tree:add(f.reason, range(tvb, reason), string_of(tvb, reason)) end
    end
  end
  if found ~= 1 then wrong(context, "not exactly one of O_ACCEPT and O_DECLINE") end
end

local function add_flood(context, tree, items)
  if #items < 5 then wrong(context, "no objective") end
  for i = 5, #items do
    local pair = items[i]
    if is_array(pair) and #pair.items == 2 and is_array(pair.items[1]) then
      add_objective(context, tree, pair.items[1])
      if is_locator(pair.items[2]) then add_locator(context, tree, pair.items[2], false)
      elseif not is_array(pair.items[2]) then wrong(context, "a tag that is neither a locator nor []") end
    elseif option_of(pair) == nil then wrong(context, "an element that is no pair") end
  end
end

local HAS_INITIATOR = { [M_DISCOVERY] = true, [M_RESPONSE] = true, [M_FLOOD] = true }
local HAS_OBJECTIVE = { [M_DISCOVERY] = 4, [M_REQ_NEG] = 3, [M_REQ_SYN] = 3, [M_NEGOTIATE] = 3, [M_SYNCH] = 3 }

-- Shows one item as a message.
local function add_message(context, tree, item)
  local tvb = context.tvb
  if not is_array(item) then return wrong(context, "not an array") end
  local items = item.items
  local kind = uint(items[1], 255)
  if kind == nil then return wrong(context, "no message type") end
  tree:add(f.type, range(tvb, items[1]), kind)
  context.type = kind
  if TYPES[kind] == nil then return wrong(context, "an unknown message type") end
  if kind == M_NOOP then return end
  local session = uint(items[2], 4294967295)
  if session == nil then return wrong(context, "no session ID") end
  tree:add(f.session, range(tvb, items[2]), session)
  context.session = session
  if HAS_INITIATOR[kind] then
    local initiator = address_text(tvb, items[3])
    if initiator == nil then return wrong(context, "no initiator") end
    tree:add(f.initiator, range(tvb, items[3]), initiator)
  end
  local ttl = kind == M_RESPONSE or kind == M_FLOOD
  if ttl and not uint(items[4], 4294967295) then return wrong(context, "no ttl") end
  if ttl then tree:add(f.ttl, range(tvb, items[4]), items[4].value) end
  if kind == M_WAIT then
    if not uint(items[3], 4294967295) then return wrong(context, "no waiting time") end
    tree:add(f.waiting_time, range(tvb, items[3]), items[3].value)
  end
  if HAS_OBJECTIVE[kind] then add_objective(context, tree, items[HAS_OBJECTIVE[kind]]) end
  if kind == M_RESPONSE then add_response(context, tree, items) end
  if kind == M_END then add_end(context, tree, items) end
  if kind == M_FLOOD then add_flood(context, tree, items) end
  if kind == M_INVALID and items[3] then tree:add(f.info, range(tvb, items[3]), show(tvb, items[3])) end
end

------------------------------------------------------------------------------------------------------- where GRASP is

-- "address:port" of TCP: 2 where a node of GRASP listens, 1 where it may. A name in a locator is "*".
local known = {}

function grasp.init() known = {} end

local function key(address, port) return tostring(address) .. ":" .. string.format("%d", port) end

local function how_known(address, port)
  return math.max(known[key(address, port)] or 0, known[key("*", port)] or 0)
end

local function learn(address, port, strong)
  local at = key(address, port)
  known[at] = math.max(known[at] or 0, strong and 2 or 1)
end

----------------------------------------------------------------------------------------------------------- dissection

local function fail(tree, at, what)
  tree:add(f.problem, at, what):set_generated()
  tree:add_proto_expert_info(malformed, "Not a valid GRASP message: " .. what)
end

-- Shows one item; returns its name for the list of packets.
local function dissect_item(tvb, pinfo, root, item)
  local at = range(tvb, item)
  local tree = root:add(grasp, at)
  local context = { tvb = tvb, names = {}, learn = learn }
  add_message(context, tree, item)
  local name = TYPES[context.type] or "GRASP item"
  local title = name
  if #context.names > 0 then title = title .. " " .. table.concat(context.names, ", ") end
  if context.session then title = title .. string.format(" (session %d)", context.session) end
  tree:append_text(": " .. title)
  tree:add(f.cbor, at, show(tvb, item)):set_generated()
  if context.problem then
    fail(tree, at, context.problem)
    title = title .. " [not valid]"
  elseif context.type == M_DISCOVERY and pinfo.port_type == 3 then
    -- The answer comes by TCP to the port it was sent from.
    learn(pinfo.src, pinfo.src_port, true)
  end
  return title
end

local function dissect_datagram(tvb, pinfo, root)
  local item, to = read_item(tvb, 0, 0, { items = 0 })
  if item == nil or to < tvb:len() then
    local tree = root:add(grasp, tvb())
    fail(tree, tvb(), item and "more than one item in a datagram" or to == "more" and "truncated" or to)
    return "not valid"
  end
  return dissect_item(tvb, pinfo, root, item)
end

local function dissect_stream(tvb, pinfo, root)
  local titles, at = {}, 0
  while at < tvb:len() do
    local item, to = read_item(tvb, at, 0, { items = 0 })
    if item == nil and to == "more" then
      if pinfo.can_desegment > 0 then
        pinfo.desegment_offset = at
        pinfo.desegment_len = DESEGMENT_ONE_MORE_SEGMENT
        break
      end
      to = "truncated"
    end
    if item == nil then
      fail(root:add(grasp, tvb(at)), tvb(at), to)
      table.insert(titles, "not valid")
      break
    end
    table.insert(titles, dissect_item(tvb, pinfo, root, item))
    at = to
  end
  return table.concat(titles, "; ")
end

function grasp.dissector(tvb, pinfo, root)
  pinfo.cols.protocol = "GRASP"
  local title = (pinfo.port_type == 3 and dissect_datagram or dissect_stream)(tvb, pinfo, root)
  if title ~= "" then pinfo.cols.info = title end
  return tvb:len()
end

-- Whether the first item is a valid message; `types`: which ones count.
local function begins_with_message(tvb, types)
  local head = tvb(0, 1):uint()
  if head < 0x81 or head > 0x9f then return false end
  local item = read_item(tvb, 0, 0, { items = 0 })
  local kind = item and is_array(item) and uint(item.items[1], 255)
  if not kind or not types[kind] then return false end
  local nothing = {}
  function nothing:add() return nothing end
  local context = { tvb = tvb, names = {}, learn = function() end }
  add_message(context, nothing, item)
  return context.problem == nil
end

-- Those that cannot be mistaken for something else.
local DECISIVE = {
  [M_RESPONSE] = true, [M_REQ_NEG] = true, [M_REQ_SYN] = true, [M_NEGOTIATE] = true, [M_END] = true, [M_SYNCH] = true,
}

local function tcp_heuristic(tvb, pinfo, root)
  if tvb:len() == 0 then return false end
  local hint = math.max(how_known(pinfo.dst, pinfo.dst_port), how_known(pinfo.src, pinfo.src_port))
  if hint < 2 and not begins_with_message(tvb, hint == 1 and TYPES or DECISIVE) then return false end
  -- TLS, as at a join proxy's address: two numbers in CBOR.
  if tvb:len() > 1 and tvb(0, 2):uint() == 0x1603 then return false end
  pinfo.conversation = grasp
  grasp.dissector(tvb, pinfo, root)
  return true
end

grasp:register_heuristic("tcp", tcp_heuristic)

local ports = nil

local function register_ports()
  for _, name in ipairs({ "udp.port", "tcp.port" }) do
    local dissectors = DissectorTable.get(name)
    if ports and ports ~= "" then dissectors:remove(ports, grasp) end
    if grasp.prefs.ports ~= "" then dissectors:add(grasp.prefs.ports, grasp) end
  end
  ports = grasp.prefs.ports
end

function grasp.prefs_changed()
  if grasp.prefs.ports ~= ports then register_ports() end
end

register_ports()
