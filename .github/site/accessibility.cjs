// Every page of a built site in a real browser, at three widths, light and dark: what axe finds serious, and pages that are
// wider than their window.  BROWSER=chromium node accessibility.cjs SITE [PART OF A PAGE'S NAME]
const {createServer} = require('node:http');
const {existsSync, readFileSync, readdirSync, statSync} = require('node:fs');
const {extname, join, relative} = require('node:path');
const {chromium} = require('playwright-core');

const [site, part = ''] = process.argv.slice(2);
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const kinds = {'.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript', '.svg': 'image/svg+xml', '.json': 'application/json'};
const widths = [420, 1000, 1600];

function pages(folder) {
  return readdirSync(folder, {withFileTypes: true}).flatMap((entry) => {
    const place = join(folder, entry.name);
    if (entry.isDirectory()) return ['trees', 'examples'].includes(entry.name) ? pages(place).slice(0, 3) : pages(place);
    return extname(entry.name) === '.html' && entry.name !== '404.html' && !folder.includes('assets') ? [place] : [];
  });
}

const server = createServer((request, answer) => {
  let place = join(site, decodeURIComponent(new URL(request.url, 'http://x').pathname));
  if (existsSync(place) && statSync(place).isDirectory()) place = join(place, 'index.html');
  if (!existsSync(place)) return answer.writeHead(404).end();
  answer.writeHead(200, {'content-type': kinds[extname(place)] ?? 'application/octet-stream'}).end(readFileSync(place));
});

async function found(page) {
  await page.evaluate(axe);
  const {violations} = await page.evaluate(() => axe.run({resultTypes: ['violations']}));
  const serious = violations.filter((one) => ['serious', 'critical'].includes(one.impact));
  const told = serious.map((one) => `${one.id} at ${one.nodes[0].target} and ${one.nodes.length - 1} more`);
  const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  return beyond > 1 ? [...told, `${beyond} pixels wider than its window`] : told;
}

async function main() {
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  const browser = await chromium.launch({executablePath: process.env.BROWSER, args: ['--no-sandbox', '--disable-gpu']});
  const listed = pages(site).filter((place) => relative(site, place).includes(part));
  let wrong = 0;
  for (const scheme of ['light', 'dark']) {
    for (const width of widths) {
      const context = await browser.newContext({viewport: {width, height: 900}, colorScheme: scheme});
      const page = await context.newPage();
      for (const place of listed) {
        await page.goto(`http://127.0.0.1:${server.address().port}/${relative(site, place)}`);
        for (const what of await found(page)) {
          wrong += 1;
          console.log(`${relative(site, place)} (${width}, ${scheme}): ${what}`);
        }
      }
      await context.close();
    }
  }
  await browser.close();
  server.close();
  console.log(`${listed.length} pages, ${widths.length} widths, light and dark: ${wrong} serious findings`);
  process.exit(wrong || !listed.length ? 1 : 0);
}

main();
