// What the configuration says of the two listeners.
import { Type } from 'typebox'
import { duration, optionalDuration, port, section } from './parts.ts'

const host = () =>
  Type.String({
    default: '::',
    description:
      'Address to listen on; `::` is every address, IPv6 and IPv4, or only IPv4 if ' +
      'the machine has no IPv6.',
  })

/** `http` */
export const HttpSchema = section('The public listener.', {
  host: host(),
  port: port(3000, 'Port to listen on; 0 takes a free one.'),
  trustedProxies: Type.Array(
    Type.String({ minLength: 1, expected: 'an address or CIDR' }),
    {
      default: [],
      description:
        'Proxies whose X-Forwarded-For is believed. List their own addresses, ' +
        'not a range that includes users.',
    },
  ),
  proxyHeaders: Type.Optional(
    Type.Union([Type.Literal('original'), Type.Literal('forwarded')], {
      description:
        'Which headers of http.trustedProxies name the request at /verify: ' +
        'X-Original-Method and -URL, ' +
        'or X-Forwarded-Method, -Proto, -Host and -Uri; without it, tokens with ' +
        'DPoP are refused there.',
    }),
  ),
  cors: Type.Array(
    Type.String({
      pattern: '^(\\*|[A-Za-z][A-Za-z0-9+.-]*://\\S+)$',
      expected:
        'an origin such as https://app.example.com or capacitor://localhost, or *',
    }),
    {
      default: [],
      description:
        'Origins whose pages may call the endpoints, as browsers write them: lower ' +
        'case, no default port.',
    },
  ),
  docs: Type.Boolean({
    default: false,
    description:
      'Whether the pages of the API (/docs, /openapi.json) are served and named in the metadata. ' +
      'Development mode serves them.',
  }),
  requestTimeout: duration(
    '10s',
    'How long a client may take to send a request. A client that reads nothing of an answer for ' +
      'that long plus http.answerTimeout is disconnected.',
  ),
  answerTimeout: duration(
    '5s',
    'How long the server may take to answer a request; after that the answer is 503.',
  ),
  maxInFlight: Type.Integer({
    minimum: 1,
    maximum: 100_000,
    default: 1000,
    description:
      'How many requests may be in progress at once, not counting fetches of the keys; more are ' +
      'answered with 503 at once.',
  }),
  maxConnections: Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    default: 5000,
    description: 'How many connections may be open at once; more are refused.',
  }),
  maxConnectionsPerAddress: Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    default: 1000,
    description:
      'How many connections one IPv4 address or one IPv6 /64 may have; http.trustedProxies are ' +
      'exempt.',
  }),
  drainDelay: optionalDuration(
    'How long a server that was told to stop goes on answering. Meanwhile it ' +
      'reports that it is not ready, so that load balancers notice. Default: not ' +
      'at all.',
  ),
  closeGrace: duration(
    '10s',
    'How long requests in flight may take to finish when the server stops; after that they are ' +
      'cut off.',
  ),
})

/** `management` */
export const ManagementSchema = section(
  'The listener for probes, metrics and SCIM; keep it off the public network.',
  {
    host: host(),
    port: port(3001, 'Port to listen on; 0 takes a free one.'),
    url: Type.Optional(
      Type.String({
        pattern: '^https?://[^\\s?#]+$',
        expected: 'an http or https URL without query and fragment',
        description:
          'The URL under which SCIM callers reach this listener. DPoP proofs must be made for ' +
          'it; without it, tokens that are bound to a key are refused there.',
      }),
    ),
    maxConnections: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 200,
      description: 'How many connections may be open at once; more are refused.',
    }),
    maxConnectionsPerAddress: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 50,
      description:
        'How many connections one IPv4 address or one IPv6 /64 may have; http.trustedProxies ' +
        'are exempt.',
    }),
  },
)
