// A name must log in nobody but its account, also where people log in by other values, such as an address.
import type { Account } from '../../stores/ports/directory.ts'
import type { Directory } from '../directory/directory.ts'

/**
 * Who else logs in with a text: somebody of that name, or with that address. Undefined: nobody, or the
 * account itself. Rejects with StoreUnavailable.
 *
 * @param tag the account's
 */
export async function namesakeOf(
  findLogin: Directory['findLogin'],
  text: string,
  tag: string,
): Promise<Account | undefined> {
  const holder = await findLogin(text)
  return holder?.tag === tag ? undefined : holder
}
