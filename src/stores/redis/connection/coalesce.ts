// One write to the socket for all commands of one turn of the event loop: requests arrive many at a time, and
// a write is the dearest thing about a command.
import { Cluster, type Redis } from 'ioredis'

/** Joins the commands that a client sends in one turn of the event loop. */
export function coalesceWrites(client: Redis | Cluster): void {
  if (client instanceof Cluster) client.on('+node', coalesceWrites)
  else {
    client.on('connect', () => {
      corkEachTurn(client.stream)
    })
  }
}

// What is written meanwhile goes out once the turn has handled all that had arrived, before it waits for
// more.
function corkEachTurn(stream: Redis['stream']): void {
  const write = stream.write.bind(stream)
  const uncork = () => {
    stream.uncork()
  }
  // The driver gives it a command and nothing else.
  stream.write = (command: string | Uint8Array) => {
    if (stream.writableCorked === 0) {
      stream.cork()
      setImmediate(uncork)
    }
    return write(command)
  }
}
