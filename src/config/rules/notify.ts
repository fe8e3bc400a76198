// The rules of `notify`.
import type { Fault } from '../faults.ts'
import type { Config } from '../schema.ts'
import { TICKETS } from '../../base/events/message-types.ts'
import { isLoopbackName } from '../../base/loopback.ts'
import { isInTheClear } from './plain-http.ts'
import { fault, repeated } from './shared.ts'

/** Checks `notify`. */
export function checkNotify(config: Config): Fault[] {
  const { giveUp } = config.notify
  return [
    ...(giveUp < 60_000 ? [fault(['notify', 'giveUp'], 'at least 1m')] : []),
    ...checkWebhook(config),
    ...checkMail(config),
    ...checkTickets(config),
  ]
}

/** Each way would make a ticket of its own, and the second voids the first. */
function checkTickets({ notify: { webhook, mail } }: Config): Fault[] {
  const mailed: readonly string[] = mail?.types ?? TICKETS
  const posted = mail === undefined ? [] : (webhook?.types ?? [])
  return posted.flatMap((type, index) =>
    TICKETS.some(each => each === type) && mailed.includes(type)
      ? [
          fault(
            ['notify', 'webhook', 'types', index],
            `no ${type}, which goes by mail already: a ticket goes by one way only ` +
              '(or leave it out of notify.mail.types)',
          ),
        ]
      : [],
  )
}

type Mail = NonNullable<Config['notify']['mail']>

const atMail = (...place: readonly string[]) => ['notify', 'mail', ...place]

function checkMail({ notify: { mail }, allowHttp }: Config): Fault[] {
  if (mail === undefined) return []
  const { timeout, tls, caFile, links } = mail
  return [
    ...checkLogin(mail, allowHttp),
    ...(timeout < 1000 || timeout > 300_000
      ? [fault(atMail('timeout'), 'between 1s and 5m')]
      : []),
    ...(tls === 'none' && caFile !== undefined
      ? [fault(atMail('caFile'), 'tls: starttls or implicit beside it')]
      : []),
    ...Object.entries(links).flatMap(([name, url]) =>
      checkUrl(url, allowHttp).map(expected => fault(atMail('links', name), expected)),
    ),
  ]
}

function checkLogin(mail: Mail, allowHttp: boolean): Fault[] {
  const { host, tls, user, password, passwordFile } = mail
  const passwords = [password, passwordFile].filter(each => each !== undefined)
  if (user === undefined) {
    return passwords.length > 0
      ? [fault(atMail('user'), 'who logs in by the password')]
      : []
  }
  return [
    ...(passwords.length === 1
      ? []
      : [fault(atMail('password'), 'the password of the user, or passwordFile')]),
    ...(tls === 'none' && !isLoopbackName(host) && host !== '::1' && !allowHttp
      ? [fault(atMail('tls'), 'starttls or implicit: a password is sent')]
      : []),
  ]
}

function checkWebhook({ notify: { webhook }, allowHttp, attributes }: Config): Fault[] {
  if (webhook === undefined) return []
  const { url, secrets, timeout } = webhook
  const at = (...place: Array<string | number>) => ['notify', 'webhook', ...place]
  return [
    ...checkUrl(url, allowHttp).map(expected => fault(at('url'), expected)),
    ...repeated(secrets).map(index =>
      fault(at('secrets', index), 'another secret than the one before it'),
    ),
    ...(timeout < 100 || timeout > 60_000
      ? [fault(at('timeout'), 'between 100ms and 1m')]
      : []),
    ...webhook.attributes.flatMap((name, index) =>
      attributes[name] === undefined
        ? [fault(at('attributes', index), 'a declared attribute (attributes)')]
        : [],
    ),
  ]
}

function checkUrl(text: string, allowHttp: boolean): string[] {
  const url = URL.parse(text)
  if (url === null || url.username !== '' || url.password !== '') {
    return ['a URL without user and password']
  }
  return allowHttp || !isInTheClear(text)
    ? []
    : ['an https URL (http only on loopback; for trying out elsewhere, allowHttp: true)']
}
