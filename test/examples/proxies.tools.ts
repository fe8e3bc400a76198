// The proxies that ask /verify, examples/haproxy and examples/nginx, each run as its README says, with the
// real program.
import { freePort } from '../support/free-port.ts'
import { checkProxy } from '../support/proxies.ts'
import { checkResourceServer } from '../support/resource-server.ts'

for (const name of ['haproxy', 'nginx']) {
  const example = {
    name,
    command: './run.sh',
    args: () => [],
    env: { SERVICE_PORT: String(await freePort()) },
    // Latchkey signs such tokens itself, for audiences that are configured so.
    takes: ['of another type'],
  }
  checkResourceServer(example)
  checkProxy(example)
}
