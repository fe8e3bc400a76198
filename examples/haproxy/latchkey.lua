-- Asks Latchkey's /verify about a request: `http-request lua.latchkey URL AUDIENCE SCOPE ORIGIN`. URL is
-- Latchkey's own, AUDIENCE the service's, SCOPE what the place needs, ORIGIN the service's scheme and host as
-- its callers know them. Needs HAProxy 2.6 or later, and no other script. Sets txn.latchkey_passed where the
-- request may pass: after an error in a script HAProxy goes on as if nothing had been asked.

local TIMEOUT_MS = 3000
-- What the answer says of the caller.
local IDENTITY = {
  'latchkey-sub', 'latchkey-client-id', 'latchkey-sid',
  'latchkey-scope', 'latchkey-username', 'latchkey-roles',
}
-- What callers are to see of a refusal.
local CHALLENGE = { 'www-authenticate', 'dpop-nonce', 'retry-after' }

-- HAProxy counts the values of a header from 0.
local function values_of (headers, name)
  local values, found = {}, headers[name] or {}
  local i = 0
  while found[i] do
    values[#values + 1] = found[i]
    i = i + 1
  end
  return values
end

-- Nothing of the caller's request but these two reaches Latchkey: all else is said here.
local function question (txn, audience, scope, origin)
  local sent = txn.http:req_get_headers()
  return {
    authorization = values_of(sent, 'authorization'),
    dpop = values_of(sent, 'dpop'),
    ['latchkey-audience'] = { audience },
    ['latchkey-required-scope'] = { scope },
    ['x-forwarded-for'] = { txn.f:src() },
    ['x-original-method'] = { txn.f:method() },
    ['x-original-url'] = { origin .. txn.f:path() },
  }
end

local function refuse (txn, status, headers)
  local reply = txn:reply({ status = status })
  for _, name in ipairs(CHALLENGE) do
    for _, value in ipairs(values_of(headers, name)) do reply:add_header(name, value) end
  end
  txn:done(reply)
end

-- A fault of Latchkey, or of the way there, is 503 and never a verdict.
local function verify (txn, url, audience, scope, origin)
  local headers = question(txn, audience, scope, origin)
  local answer = core.httpclient():get({ url = url .. '/verify', headers = headers, timeout = TIMEOUT_MS })
  local status, told = answer.status, answer.headers or {}
  if status == 401 or status == 403 then return refuse(txn, status, told) end
  if status ~= 200 then return refuse(txn, 503, { ['retry-after'] = { [0] = '1' } }) end
  for _, name in ipairs(IDENTITY) do
    txn.http:req_set_header(name, values_of(told, name)[1] or '')
  end
  txn:set_var('txn.latchkey_passed', true)
end

core.register_action('latchkey', { 'http-req' }, verify, 4)
