// The rules of `notify`.
import type { Fault } from '../faults.ts'
import type { Config } from '../schema.ts'
import { isInTheClear } from './plain-http.ts'
import { fault, repeated } from './shared.ts'

/** Checks `notify`. */
export function checkNotify(config: Config): Fault[] {
  const { giveUp } = config.notify
  return [
    ...(giveUp < 60_000 ? [fault(['notify', 'giveUp'], 'at least 1m')] : []),
    ...checkWebhook(config),
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
