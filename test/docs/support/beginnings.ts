/* eslint no-template-curly-in-string: "off" -- the configuration writes its variables so */
// What the pages take for granted: files, accounts, and names that stand for something of the reader's.
import { textOf } from './blocks.ts'
import type { Beginning } from './walk.ts'

/** A page's beginning, and commands that check what it promises beyond what it shows. */
export interface PageBeginning extends Beginning {
  readonly checks?: string
}

const CONFIGURATION = `issuer: http://127.0.0.1:3000
http: { host: 127.0.0.1 }
management: { host: 127.0.0.1 }
store: { url: "sqlite:./latchkey.db" }
secrets: [${'s'.repeat(43)}]
attributes:
  email: { unique: true }
  given_name: {}
  family_name: {}
  tenant: { type: string }
  plan: { type: string }
  groups: { type: string, list: true }
clients:
  - id: mobile
    grants: [password, refresh_token]
    scopes: [profile, "orders:read"]
    audience: [https://orders.example.com]
  - id: helpdesk
    secrets: ["\${HELPDESK_HASH}"]
    grants: [client_credentials]
    scopes: [admin]
    audience: [http://127.0.0.1:3000]
scim: { tokens: [{ name: okta, hashes: ["\${SCIM_HASH}"] }] }
`

/** Beside the other clients an app that keeps accounts. */
const WITH_MEMBERS = `clients:
  - id: members
    secrets: ["\${HELPDESK_HASH}"]
    grants: [client_credentials]
    scopes: [scim]
`

/** A server with two users, and what names and secrets the pages have others for. */
const SERVED: PageBeginning = {
  files: { 'latchkey.yaml': CONFIGURATION },
  before: `
export LATCHKEY_CONFIG=latchkey.yaml HELPDESK_HASH=x SCIM_HASH=x
set -- $(latchkey clients secret); export HELPDESK_SECRET="$1" HELPDESK_HASH="$2"
set -- $(latchkey clients token); export SCIM_TOKEN="$1" SCIM_HASH="$2"
latchkey users add alice --attribute email=alice@example.com
latchkey users add ann --attribute email=ann@example.com
latchkey serve`,
}

const LOGIN = `TOKENS="$(curl -d grant_type=password -d client_id=mobile -d username=alice \\
  --data-urlencode "password=$PASSWORD" http://127.0.0.1:3000/token)"
TOKEN="$(jq -r .access_token <<<"$TOKENS")"`

const BCRYPT = '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'

/** Files of old systems, by the names that the pages give them. */
const OLD_FILES: Readonly<Record<string, string>> = {
  'users.jsonl': `{"name":"zoe","passwordHash":"${BCRYPT}"}\n`,
  'auth_user.csv': `id,password,is_superuser,username,first_name,last_name,email,is_staff,is_active
7,bcrypt$${BCRYPT},f,yan,Yan,Li,yan@example.com,f,t
`,
  'people.csv': `mail,uid,pw,is_active\nxia@example.com,8,${BCRYPT},t\n`,
  'changed.csv': `mail,uid,pw\nxia@example.com,8,${BCRYPT}\n`,
  'joined.jsonl': `${JSON.stringify({
    _id: { $oid: '60' },
    email: 'wim@example.com',
    passwordHash: BCRYPT,
    blocked: false,
    app_metadata: { plan: 'pro', tenant: 'acme' },
  })}\n`,
  'hashes.json': JSON.stringify({
    _id: { $oid: '61' },
    email: 'vic@example.com',
    passwordHash: BCRYPT,
  }),
  'users.json': JSON.stringify({ user_id: 'auth0|61', app_metadata: { tenant: 'acme' } }),
  'breached.txt': `${'0'.repeat(39)}1:3\n${'0'.repeat(39)}2:1\n`,
  'password.txt': 'a long one of a robot\n',
}

/** The command line without a server: its store is `base.db`, which the lines of examples copy. */
const COMMANDS: PageBeginning = {
  files: {
    ...OLD_FILES,
    'latchkey.yaml': `${CONFIGURATION.replace('latchkey.db', '${DB}.db')}
selfService: { registration: invite }
notify: { webhook: { url: 'http://127.0.0.1:9/', secrets: ['whsec_${'A'.repeat(43)}='], allowPrivate: true } }
`,
  },
  before: `
export LATCHKEY_CONFIG=latchkey.yaml DB=base
set -- $(latchkey clients secret); export HELPDESK_HASH="$2"
set -- $(latchkey clients token); export SCIM_HASH="$2"
latchkey users add alice --attribute email=alice@example.com --attribute tenant=acme
latchkey users name-hash alice >audit.log`,
}

export const BEGINNINGS: Readonly<Record<string, PageBeginning>> = {
  'docs/tutorials/fastapi.md': {
    checks: `
curl -d grant_type=password -d client_id=web -d username=bob -d 'password=bob has a long one, too' \\
  http://127.0.0.1:3000/token >tokens
token="$(jq -r .access_token <tokens)"
curl -H "Authorization: Bearer $token" http://127.0.0.1:8000/users/me/items | grep -F 'a lamp'
answers 401 http://127.0.0.1:8000/users/me
latchkey users show johndoe --json >shown
fails grep -F '$argon2id$' shown`,
  },
  'docs/how-to/backend-for-frontend.md': {
    checks: `
curl --interface 127.0.7.1 -c again -H 'Content-Type: application/json' \\
  -d "{\\"username\\":\\"alice\\",\\"password\\":\\"$PASSWORD\\"}" http://127.0.0.1:8000/login
latchkey sessions list alice | grep -F 127.0.7.0/24
answers 403 -b again -H 'Sec-Fetch-Site: cross-site' -X POST http://127.0.0.1:8000/logout
curl -b again http://127.0.0.1:8000/whoami | grep -F true
curl -b again -X POST http://127.0.0.1:8000/logout
answers 401 -b again http://127.0.0.1:8000/whoami`,
  },
  'docs/operations.md': {
    ...SERVED,
    before: `${SERVED.before}\n${LOGIN}`,
    replaced: [
      ['http://latchkey.id.svc/', 'http://127.0.0.1:3000/'],
      ["issuer: 'https://id.example.com'", "issuer: 'http://127.0.0.1:3000'"],
      ['issuer="https://id.example.com"', 'issuer="http://127.0.0.1:3000"'],
    ],
    first: {
      'latchkey store restore':
        'mv latchkey.yaml before.yaml; sed s/latchkey.db/other.db/ before.yaml >latchkey.yaml',
    },
  },
  'docs/cli.md': {
    ...COMMANDS,
    alone: ['latchkey users add', 'latchkey store backup'],
    first: {
      'latchkey users add alice': 'latchkey users remove alice --yes',
      'latchkey users invite carol':
        'latchkey users add carol --attribute email=carol@example.com --invite',
      'latchkey store backup --into': 'mkdir backups',
      'latchkey store restore':
        'rm *.backup\nlatchkey store backup latchkey-2026-11-28.backup\nDB=empty',
      'latchkey sessions list': `latchkey serve
${LOGIN}
${LOGIN}
set -- $(latchkey sessions list alice --json | jq -r .sid)
SID="$1" SID2="$2"`,
      'latchkey keys status':
        'KID="$(latchkey keys status --json | jq -r "select(.kid).kid" | head -1)"',
      // The server signs with the next key as soon as it hears that this one is retired.
      pbpaste: `for try in $(seq 300); do
${LOGIN}
echo "$TOKEN" >token.txt
latchkey token verify - <token.txt && break
done`,
    },
    replaced: [
      ['q83vEjRWeJCrze8SNFZ4kA', '"$SID"'],
      ['-jRWeJCrze8SNFZ4kAq83v', '"$SID2"'],
      [
        'keys retire kcwT8M1mWRAIKcVcgOMtkWZBXwDuJEyhFBAzpvUOGeM',
        'keys retire --yes "$KID"',
      ],
      ['pbpaste', 'echo "$TOKEN"'],
      // There is no PostgreSQL here, and the command says so; test/stores moves accounts to one.
      [
        'latchkey users move --to postgres',
        'no () { ! latchkey "$@" 2>why && grep -F store.accounts why; }; no users move --to postgres',
      ],
      // Nothing was lost here, and the command says so.
      [
        'latchkey store accept',
        "fails latchkey store accept 2>lost; grep -Fx 'latchkey: nothing lost' lost",
      ],
    ],
  },
  'docs/passwords.md': COMMANDS,
  'docs/how-to/without-kubernetes.md': SERVED,
  'docs/throttling.md': SERVED,
  'docs/runbook.md': SERVED,
  'docs/upgrading.md': SERVED,
  'examples/README.md': {
    folder: 'examples/fastapi',
    files: { 'examples/latchkey.yaml': textOf('examples/latchkey.yaml') },
    first: { 'tokens=': '.venv/bin/uvicorn main:app --port 8000' },
  },
  'examples/fastapi/README.md': { folder: 'examples/fastapi' },
  'examples/flask/README.md': {
    folder: 'examples/flask',
    replaced: [['$TOKEN', '$(demo-token)']],
  },
  'docs/accounts.md': {
    ...SERVED,
    files: { 'latchkey.yaml': CONFIGURATION.replace('clients:\n', WITH_MEMBERS) },
    replaced: [
      ['members:SECRET', '"members:$HELPDESK_SECRET"'],
      ["H='Authorization: Bearer lks_…'", 'H="Authorization: Bearer $SCIM_TOKEN"'],
      ['"userName": "ann"', '"userName": "anna"'],
      ['userName eq "ann"', 'userName eq "anna"'],
      ['"value": "ann@example.com"', '"value": "anna@example.com"'],
      ['$U/Users/ID', '$U/Users/$(latchkey users show anna --json | jq -r .sub)'],
    ],
  },
  'docs/admin-api.md': {
    ...SERVED,
    replaced: [
      ['https://id.example.com/token', 'http://127.0.0.1:3000/token'],
      ['helpdesk:SECRET', '"helpdesk:$HELPDESK_SECRET"'],
      ['http://latchkey:3001', 'http://127.0.0.1:3001'],
    ],
  },
}
