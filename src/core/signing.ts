// The core's keys, and what is published of what they signed.
import { createLiveCredentials } from '../clients/credentials.ts'
import type { ClientRegistry } from '../clients/registry.ts'
import { mayActAlone } from '../grants/client-credentials.ts'
import { createKeyRing, type KeyRing } from '../keys/ring.ts'
import { createKnownSecrets, type KnownSecrets } from '../keys/known-secrets.ts'
import { createSightings, type SightingsRecorder } from '../keys/verifiers/sightings.ts'
import { createStatusService, type StatusService } from '../status-lists/service.ts'
import type { ComposeOptions } from './options.ts'

/** What the core signs with, and what it knows of what was signed. */
export interface Signing {
  /** Which secrets the servers have that run beside this one. */
  readonly knownSecrets: KnownSecrets
  readonly keys: KeyRing
  readonly sightings: SightingsRecorder
  readonly status: StatusService
}

/** Composes the keys' side. */
export function composeSigning(
  options: ComposeOptions & { readonly clients: ClientRegistry },
): Signing {
  const { settings, store, clock, instruments, clients } = options
  const { knownSecrets, keys } = composeKeys(options)
  const sightings = createSightings({ sightings: store.sightings, clock })
  const status = createStatusService({
    issuer: settings.issuer,
    status: settings.status,
    lists: store.statusLists,
    keys,
    credentials: createLiveCredentials({ clients, mayHold: mayActAlone, clock }),
    signed: sightings.signed,
    clock,
    monotonic: options.monotonic,
    random: options.random,
    metrics: instruments.status,
  })
  return {
    knownSecrets,
    keys,
    sightings,
    status,
  }
}

function composeKeys({
  settings: { secrets, keyPolicy },
  store,
  storeNow = () => store.now(),
  monotonic,
  emit,
  source,
}: ComposeOptions): Pick<Signing, 'knownSecrets' | 'keys'> {
  const knownSecrets = createKnownSecrets({ store, secrets, monotonic })
  const keys = createKeyRing({
    keys: store.keys,
    secrets,
    isEverywhere: knownSecrets.isEverywhere,
    now: storeNow,
    policy: keyPolicy,
    emit,
    source,
    monotonic,
  })
  return { knownSecrets, keys }
}
