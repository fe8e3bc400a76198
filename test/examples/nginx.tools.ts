// examples/nginx, run as its README says, with a real nginx.
import { freePort } from '../support/free-port.ts'
import { checkProxy } from '../support/proxies.ts'
import { checkResourceServer, type Example } from '../support/resource-server.ts'

const example: Example = {
  name: 'nginx',
  command: './run.sh',
  args: () => [],
  env: { SERVICE_PORT: String(await freePort()) },
  // Latchkey signs such tokens itself, for audiences that are configured so.
  takes: ['of another type'],
}

checkResourceServer(example)
checkProxy(example)
