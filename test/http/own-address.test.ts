// The address and the network that a request comes from.
import type { FastifyRequest } from 'fastify'
import t from 'tap'
import { ownAddressOf, ownNetworkOf } from '../../src/http/callers/own-address.ts'

const from = (ip: string | undefined) => ({ ip }) as FastifyRequest

for (const { ip, address, network } of [
  { ip: '192.0.2.7', address: '192.0.2.7', network: '192.0.2.0/24' },
  { ip: '192.0.2.7:50001', address: '192.0.2.7', network: '192.0.2.0/24' },
  { ip: '[2001:db8::7]:50001', address: '2001:db8::7', network: '2001:db8::/64' },
]) {
  t.test(`of ${ip}`, async t => {
    t.equal(ownAddressOf(from(ip)), address)
    t.equal(ownNetworkOf(from(ip)), network)
  })
}

t.test('a connection that has ended', async t => {
  t.throws(() => ownAddressOf(from(undefined)), { name: 'OAuthError' })
  t.equal(ownNetworkOf(from(undefined)), 'unknown', 'still has its audit line')
})
