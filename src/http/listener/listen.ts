// Where a listener listens: by default at every address of the machine, of both kinds.
import type { FastifyInstance } from 'fastify'

/** Every address: IPv6, and IPv4 as a part of it. */
export const ANY_ADDRESS = '::'
const ANY_IPV4_ADDRESS = '0.0.0.0'

/** What a kernel says that has no IPv6, or has it switched off. */
const WITHOUT_IPV6: readonly unknown[] = ['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL']

/**
 * Begins to listen. At `::` callers by IPv4 are answered, too, and where the machine has no IPv6, they alone.
 *
 * @returns the URL under which this machine reaches it
 * @throws what the system says, such as EADDRINUSE
 */
export async function listen(
  app: Pick<FastifyInstance, 'listen'>,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<string> {
  const url = await app.listen({ host, port }).catch(error => {
    if (host !== ANY_ADDRESS || !WITHOUT_IPV6.includes(error.code)) throw error
    return app.listen({ host: ANY_IPV4_ADDRESS, port })
  })
  return url.replace(`//[${ANY_ADDRESS}]:`, '//localhost:')
}
