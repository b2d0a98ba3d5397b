// promptfoo's own evaluate(): its chat provider for OpenAI's protocol, and its `equals` assertion.
// node by_promptfoo.mjs FOLDER JOB TOLD, FOLDER being where it is installed.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [folder, jobFile, toldFile] = process.argv.slice(2);
const job = JSON.parse(fs.readFileSync(jobFile, 'utf8'));
const require = createRequire(path.join(folder, 'package.json'));
const found = await import(pathToFileURL(require.resolve('promptfoo')));
const promptfoo = found.default ?? found;

async function evaluate(cases) {
  const suite = {
    prompts: ['{{question}}'],
    providers: [{ id: `openai:chat:${job.model}`, config: { apiBaseUrl: job.base_url, apiKey: 'none', maxRetries: 0 } }],
    tests: cases.map((one) => ({
      vars: { question: one.text },
      assert: [{ type: 'equals', value: one.expected }],
    })),
    writeLatestResults: false,
  };
  const evaluated = await promptfoo.evaluate(suite, { maxConcurrency: job.concurrency, cache: job.again });
  const summary = await evaluated.toEvaluateSummary();
  return summary.results.filter((one) => one.success).length;
}

async function timed(work) {
  const began = performance.now();
  const before = process.cpuUsage();
  const right = await work();
  const { user, system } = process.cpuUsage(before);
  return { seconds: (performance.now() - began) / 1000, cpu_seconds: (user + system) / 1e6, right };
}

await evaluate(job.warm);
const first = await timed(() => evaluate(job.cases));
const again = job.again ? await timed(() => evaluate(job.cases)) : null;
if (again && again.right !== first.right) throw new Error('evaluated again, other cases were right');
fs.writeFileSync(toldFile, JSON.stringify({ ...first, again_seconds: again?.seconds ?? null }));
process.exit(0);
