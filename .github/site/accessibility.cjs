// Every page of a built site in a real browser, light and dark: what axe finds serious, and pages that are wider than their
// window. Axe reads each page at the middle width, and one page of every folder, whose pages are of one make, at all three.
//   BROWSER=chromium node accessibility.cjs SITE [PART OF A PAGE'S NAME]
const {createServer} = require('node:http');
const {existsSync, readFileSync, readdirSync, statSync} = require('node:fs');
const {dirname, extname, join, relative} = require('node:path');
const {chromium} = require('playwright-core');

const [site, part = ''] = process.argv.slice(2);
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const kinds = {'.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript', '.svg': 'image/svg+xml', '.json': 'application/json'};
const widths = [420, 1000, 1600];
const together = 2;

function pages(folder) {
  return readdirSync(folder, {withFileTypes: true}).flatMap((entry) => {
    const place = join(folder, entry.name);
    if (entry.isDirectory()) return pages(place);
    return extname(entry.name) === '.html' && entry.name !== '404.html' && !folder.includes('assets') ? [place] : [];
  });
}

const server = createServer((request, answer) => {
  let place = join(site, decodeURIComponent(new URL(request.url, 'http://x').pathname));
  if (existsSync(place) && statSync(place).isDirectory()) place = join(place, 'index.html');
  if (!existsSync(place)) return answer.writeHead(404).end();
  answer.writeHead(200, {'content-type': kinds[extname(place)] ?? 'application/octet-stream'}).end(readFileSync(place));
});

async function serious(page) {
  await page.evaluate(axe);
  const {violations} = await page.evaluate(() => axe.run({resultTypes: ['violations']}));
  const meant = violations.filter((one) => ['serious', 'critical'].includes(one.impact));
  return meant.map((one) => `${one.id} at ${one.nodes[0].target} and ${one.nodes.length - 1} more`);
}

async function wider(page) {
  const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  return beyond > 1 ? [`${beyond} pixels wider than its window`] : [];
}

// What is wrong with one page at one width: its width always, and what axe says where it is asked.
async function found(page, place, width, asked) {
  await page.setViewportSize({width, height: 900});
  await page.goto(`http://127.0.0.1:${server.address().port}/${place}`);
  return [...(asked ? await serious(page) : []), ...(await wider(page))];
}

// The first page of every folder, and the report of a plan, which no other page is like.
function kindsOf(listed) {
  const first = new Map(listed.map((place) => [dirname(place), place]).reverse());
  return new Set([...first.values(), 'index.html', 'plan.html']);
}

async function lookedAt(browser, scheme, rounds) {
  const wrong = [];
  const context = await browser.newContext({colorScheme: scheme});
  const look = async () => {
    const page = await context.newPage();
    for (let round = rounds.pop(); round; round = rounds.pop()) {
      const said = await found(page, ...round);
      wrong.push(...said.map((what) => `${round[0]} (${round[1]}, ${scheme}): ${what}`));
    }
  };
  await Promise.all(Array.from({length: together}, look));
  await context.close();
  return wrong;
}

async function main() {
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  const browser = await chromium.launch({executablePath: process.env.BROWSER, args: ['--no-sandbox', '--disable-gpu']});
  const listed = pages(site).map((place) => relative(site, place)).filter((place) => place.includes(part));
  const kinds = kindsOf(listed);
  const rounds = listed.flatMap((place) => widths.map((width) => [place, width, width === widths[1] || kinds.has(place)]));
  const wrong = [...(await lookedAt(browser, 'light', [...rounds])), ...(await lookedAt(browser, 'dark', [...rounds]))];
  await browser.close();
  server.close();
  const asked = rounds.filter((round) => round[2]).length;
  console.log([...wrong, `${listed.length} pages, light and dark: axe read ${asked} of ${rounds.length} views, ${wrong.length} findings`].join('\n'));
  process.exit(wrong.length || !listed.length ? 1 : 0);
}

main();
