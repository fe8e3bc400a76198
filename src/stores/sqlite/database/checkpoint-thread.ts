// The thread that copies the log to the file. Nobody writes meanwhile, so that all of it is copied and the
// next write begins the log anew. That waits for the disk, too, and is done here.
import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'

const db = new DatabaseSync(String(workerData))

function copy(): void {
  try {
    db.exec('PRAGMA wal_checkpoint(PASSIVE); REPLACE INTO probes (id) VALUES (2)')
  } catch {
    // Another process has the file, or the disk fails: whoever writes next is told.
  }
}

parentPort?.on('message', message => {
  if (message === 'copy') {
    copy()
    parentPort?.postMessage('copied')
  } else {
    db.close()
    parentPort?.close()
  }
})
