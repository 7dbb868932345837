// Runs an ONNX file with onnxruntime-node; speaks the lines described in README.md.
// usage: node onnxruntime-runner.js MODEL.onnx INPUT.f32 THREADS BATCH (NODE_PATH: where it is)
'use strict';
const fs = require('fs');
const readline = require('readline');
const ort = require('onnxruntime-node');

async function main() {
  const [model, input, threads, batch] = process.argv.slice(2);
  const session = await ort.InferenceSession.create(model, {
    intraOpNumThreads: Number(threads), interOpNumThreads: 1, executionMode: 'sequential',
    graphOptimizationLevel: 'all', executionProviders: ['cpu'],
  });
  const bytes = fs.readFileSync(input);
  const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const size = Math.round(Math.sqrt(values.length / (3 * batch)));
  const feeds = { image: new ort.Tensor('float32', values, [Number(batch), 3, size, size]) };
  const answer = (object) => process.stdout.write(JSON.stringify(object) + '\n');

  answer({ ready: `ONNX Runtime ${ort.env.versions.node}` });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [command, count] = line.split(' ');
    if (command === 'logits') {
      answer({ logits: Array.from((await session.run(feeds)).logits.data) });
    } else if (command === 'time') {
      const ms = [];
      for (let i = 0; i < Number(count); i++) {
        const start = process.hrtime.bigint();
        await session.run(feeds);
        ms.push(Number(process.hrtime.bigint() - start) / 1e6);
      }
      answer({ ms });
    }
  }
}

main();
