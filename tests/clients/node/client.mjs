// Checks @kubernetes/client-node. Usage: node client.mjs KUBECONFIG NAMESPACE SHARED IMAGE
import net from 'node:net'
import { PassThrough } from 'node:stream'

import * as k8s from '@kubernetes/client-node'

const CHECK_MS = 90_000
const [kubeconfig, namespace, shared] = process.argv.slice(2)
const config = new k8s.KubeConfig()
config.loadFromFile(kubeconfig)
const core = config.makeApiClient(k8s.CoreV1Api)

function expect(got, wanted) {
  if (got !== wanted) throw new Error(`got ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`)
}

async function check(name, body) {
  let timer
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error('never ended')), CHECK_MS)
  })
  try {
    await Promise.race([body(), late])
    console.log(`ok\t${name}`)
  } catch (error) {
    console.log(`failed\t${name}\t${String(error).replace(/\s+/g, ' ')}`)
  }
  clearTimeout(timer)
}

// Resolves once the text has come.
function hears(stream, text) {
  return new Promise((done) => {
    let heard = ''
    stream.on('data', (piece) => {
      heard += piece
      if (heard.includes(text)) done(heard)
    })
  })
}

await check('list, create, delete', async () => {
  const body = { metadata: { name: 'node' }, data: { value: 'x' } }
  await core.createNamespacedConfigMap({ namespace, body })
  const listed = await core.listNamespacedConfigMap({ namespace })
  expect(listed.items.some((each) => each.metadata.name === 'node'), true)
  await core.deleteNamespacedConfigMap({ namespace, name: 'node' })
})

await check('Watch', async () => {
  const watch = new k8s.Watch(config)
  let aborting
  const name = await new Promise((done, fail) => {
    aborting = watch.watch(`/api/v1/namespaces/${shared}/pods`, {}, (_, pod) => done(pod.metadata.name),
      (error) => error && fail(error))
  })
  ;(await aborting).abort()
  expect(name, 'web')
})

await check('informer', async () => {
  const path = `/api/v1/namespaces/${namespace}/configmaps`
  const informer = k8s.makeInformer(config, path, () => core.listNamespacedConfigMap({ namespace }))
  const seen = new Promise((done) => informer.on('add', (each) => each.metadata.name === 'informed' && done()))
  await informer.start()
  await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'informed' } } })
  await seen
  await informer.stop()
})

await check('exec with exit code', async () => {
  const out = new PassThrough()
  const heard = hears(out, 'said')
  const status = await new Promise((done) => {
    new k8s.Exec(config).exec(shared, 'web', 'main', ['sh', '-c', 'echo said; exit 4'], out, new PassThrough(),
      null, false, done)
  })
  await heard
  expect(status.details.causes[0].message, '4')
})

await check('Log, followed', async () => {
  const out = new PassThrough()
  const heard = hears(out, 'line')
  const aborting = await new k8s.Log(config).log(shared, 'web', 'main', out, { follow: true, tailLines: 1 })
  await heard
  aborting.abort()
})

await check('port-forward', async () => {
  const forward = new k8s.PortForward(config)
  const server = net.createServer((socket) => {
    socket.on('error', () => {})
    forward.portForward(shared, 'web', [8080], socket, null, socket)
  })
  await new Promise((done) => server.listen(0, '127.0.0.1', done))
  const socket = net.connect(server.address().port, '127.0.0.1')
  const heard = hears(socket, 'hello\n')
  socket.write('GET /index.html HTTP/1.0\r\n\r\n')
  await heard
  socket.destroy()
  server.close()
})

process.exit(0)
