// Runs an ONNX file with onnxruntime-node, and answers the commands described in README.md.
// usage: node onnxruntime-runner.js MODEL.onnx INPUT.f32 THREADS BATCH
// NODE_PATH: the folder that holds onnxruntime-node
'use strict';
const fs = require('fs');
const readline = require('readline');
const ort = require('onnxruntime-node');

// Returns the images of the input, in batches.
function readBatches(path, batch, size) {
  const bytes = fs.readFileSync(path);
  const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const n = batch * 3 * size * size;
  const batches = [];
  for (let i = 0; i + n <= values.length; i += n)
    batches.push({ image: new ort.Tensor('float32', values.slice(i, i + n),
                                         [batch, 3, size, size]) });
  return batches;
}

async function main() {
  const [model, input, threads, batch] = process.argv.slice(2);
  const session = await ort.InferenceSession.create(model, {
    intraOpNumThreads: Number(threads), interOpNumThreads: 1, executionMode: 'sequential',
    graphOptimizationLevel: 'all', executionProviders: ['cpu'],
  });
  const batches = readBatches(input, Number(batch), session.inputMetadata[0].shape[2]);
  const answer = (object) => process.stdout.write(JSON.stringify(object) + '\n');
  let next = 0;

  answer({ ready: `ONNX Runtime ${ort.env.versions.node}`, precision: '' });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [command, count] = line.split(' ');
    if (command === 'logits') {
      const logits = [];
      for (const feeds of batches)
        logits.push(...(await session.run(feeds)).logits.data);
      answer({ logits });
    } else if (command === 'time') {
      const ms = [];
      for (let i = 0; i < Number(count); i++, next = (next + 1) % batches.length) {
        const start = process.hrtime.bigint();
        await session.run(batches[next]);
        ms.push(Number(process.hrtime.bigint() - start) / 1e6);
      }
      answer({ ms });
    }
  }
}

main();
