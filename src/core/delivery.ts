// The part of the upkeep that sends what waits in the outbox: a worker for each way that is configured, which
// looks every second, and at once when something was appended here.
import { monotonicClock } from '../base/clock.ts'
import type { Event } from '../base/events/events.ts'
import { systemRandom } from '../base/random.ts'
import { every, reportFirstFailure } from '../base/repeat.ts'
import { createPostForStatus } from '../clients/guarded-post.ts'
import { createMail, type MailSettings } from '../outbox/mail/mail.ts'
import { postMail } from '../outbox/mail/smtp.ts'
import { openTemplates, type TemplatesSettings } from '../outbox/mail/templates.ts'
import { DeliveryFailed, type Send } from '../outbox/delivery.ts'
import { createWebhook, type WebhookSettings } from '../outbox/webhook.ts'
import { createWorker, type Deliver, type Result, type Worker } from '../outbox/worker.ts'
import type { Backlog, TakenItem, Way } from '../stores/ports/outbox.ts'
import type { Core } from './core.ts'
import type { UpkeepLog } from './upkeep.ts'

/** An item that failed is due again after seconds at the least. */
const LOOK_MS = 1_000
/** How long what is on its way may take when the server stops. */
const STOP_MS = 5_000
/** The longest that a try may be allowed to take. */
const MOST_MS = 60_000
const BACKLOG_MS = 5_000

/** What is told how delivery does. */
export interface DeliveryMetrics {
  /** Counts a try. */
  countDelivery(way: Way, result: Result): void
  /** Notes what waits for a way. */
  setBacklog(way: Way, backlog: Backlog): void
}

/** What delivery needs. */
export interface DeliveryOptions {
  readonly core: Pick<
    Core,
    'settings' | 'store' | 'outbox' | 'envelope' | 'compose' | 'clock' | 'emit'
  >
  readonly metrics: DeliveryMetrics
  readonly log: UpkeepLog
  /** Takes what has to end with the server. */
  readonly parts: AsyncDisposableStack
}

/** What sends, while the server runs. */
export interface Delivery {
  /**
   * Reads the templates of mails anew; those of before stay when it throws.
   *
   * @param mail as it is configured from now on; undefined: what is left goes on with those of before
   * @throws TemplateError for one that can't be used; Error when the folder can't be read
   */
  readTemplates(mail: TemplatesSettings | undefined): void
}

/**
 * Starts the workers of the ways that are configured at the start.
 *
 * @throws as readTemplates
 */
export function startDelivery(options: DeliveryOptions): Delivery {
  const { webhook, mail } = options.core.settings.notify()
  if (webhook !== undefined) startWay(options, 'webhook', sendWebhook(options, webhook))
  return mail === undefined ? { readTemplates() {} } : startMail(options, mail)
}

function startMail(
  options: DeliveryOptions,
  atStart: MailSettings & TemplatesSettings,
): Delivery {
  const { settings, clock } = options.core
  let templates = openTemplates(atStart)
  const send = createMail({
    settings: () => settings.notify().mail ?? atStart,
    templates: () => templates,
    post: postMail,
    clock,
  })
  startWay(options, 'mail', send)
  return {
    readTemplates(mail) {
      if (mail !== undefined) templates = openTemplates(mail)
    },
  }
}

function sendWebhook(
  { core: { settings, clock } }: DeliveryOptions,
  atStart: WebhookSettings,
): Send {
  return createWebhook({
    // One that a reload has taken away goes on with what is left to send.
    settings: () => settings.notify().webhook ?? atStart,
    post: createPostForStatus({ timeoutMs: MOST_MS }),
    clock,
  })
}

function startWay(options: DeliveryOptions, way: Way, send: Send): void {
  const { core, metrics, log, parts } = options
  const worker = createWayWorker(options, way, send)
  const work = reportFirstFailure(worker.work, err => {
    log.error({ err }, `the outbox could not be read; the ${way} waits`)
  })
  const look = reportFirstFailure(
    async () => metrics.setBacklog(way, await core.store.outbox.backlog(way)),
    // The worker says it.
    () => {},
  )
  core.outbox.onAppended(work)
  parts.defer(() => worker.stop(STOP_MS))
  parts.defer(every(LOOK_MS, work))
  parts.defer(every(BACKLOG_MS, look))
  // Neither rejects, and nobody waits for them.
  work().then()
  look().then()
}

function createWayWorker(
  { core, metrics, log }: DeliveryOptions,
  way: Way,
  send: Send,
): Worker {
  const { settings, store, envelope, compose, emit } = core
  const deliver: Deliver = async (item, signal) => {
    const message = await compose(item, envelope.open(item.id, item.content))
    if (message === undefined) return 'dropped'
    if (way === 'mail' && message.email === undefined) return 'dropped'
    await send(message, signal)
    return 'delivered'
  }
  const failing = createFailureLog(way, log)
  return createWorker({
    way,
    items: store.outbox,
    deliver,
    timeoutMs: () => settings.notify()[way]?.timeout ?? MOST_MS,
    giveUpMs: () => settings.notify().giveUp,
    report(result, item, error) {
      metrics.countDelivery(way, result)
      failing(result, error)
      if (result === 'abandoned') emit(abandonedEvent({ ...item, way }, envelope, error))
    },
    monotonic: monotonicClock,
    random: systemRandom,
  })
}

/** Says the first of several failures in a row; what is refused for good says nothing of the way. */
function createFailureLog(way: Way, log: UpkeepLog) {
  let works = true
  return (result: Result, err?: unknown): void => {
    if (err instanceof DeliveryFailed && err.isFinal) return
    const isFailure = result === 'failed' || result === 'abandoned'
    if (isFailure && works) {
      const why = reasonOf(err).map(reason => ` (${reason})`)
      log.warn(
        { err },
        `the ${way} does not take what is sent${why.join('')}; it is tried again`,
      )
    }
    works = !isFailure
  }
}

/** Made for the log; what any other error says is not. */
function reasonOf(error: unknown): string[] {
  return error instanceof DeliveryFailed ? [error.message] : []
}

/** The event of an item that nobody tries any more. */
function abandonedEvent(
  { id, content, way, tries }: TakenItem & { readonly way: Way },
  envelope: Core['envelope'],
  error: unknown,
): Event {
  const [reason] = reasonOf(error)
  const said = reason === undefined ? {} : { error: reason }
  const about = {
    type: 'message.abandoned',
    way,
    tries,
    ...said,
  } as const
  try {
    const { type, whom } = envelope.open(id, content)
    return { ...about, message: type, ...('sub' in whom && { sub: whom.sub }) }
  } catch {
    // It was given up because nobody here can read it.
    return about
  }
}
