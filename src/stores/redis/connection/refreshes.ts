// A cluster's client asks again and again who has which slots. The driver plans the next round when the one
// before it answers, also where the client was ended in between: its timer then kept the process alive for
// ever, and each reconnect could leave one more.
import type { Cluster } from 'ioredis'

/** Makes a client plan no further round once it was disconnected. To be called before it connects. */
export function endRefreshes(client: Cluster): void {
  const disconnect = client.disconnect.bind(client)
  const refresh = client.refreshSlotsCache.bind(client)
  let connections = 0
  client.disconnect = reconnect => {
    connections += 1
    disconnect(reconnect)
  }
  client.refreshSlotsCache = done => {
    const mine = connections
    refresh(error => {
      if (mine === connections) done?.(error)
    })
  }
}
