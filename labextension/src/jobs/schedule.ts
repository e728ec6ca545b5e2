import { Job } from '../api/types';

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];

/** A cron expression in words, where it is one of the usual ones; else the expression itself. */
export function cronInWords(cron: string): string {
  const fields = cron.trim().split(/\s+/);
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields;
  if (fields.length !== 5 || month !== '*') {
    return cron;
  }
  const every = /^\*\/(\d+)$/.exec(minute)?.[1];
  if (hour === '*' && day === '*' && weekday === '*') {
    if (minute === '*') {
      return 'every minute';
    }
    return every ? `every ${every} minutes` : /^\d+$/.test(minute) ? `every hour at :${minute.padStart(2, '0')}` : cron;
  }
  if (!/^\d+$/.test(minute) || !/^\d+$/.test(hour)) {
    return cron;
  }
  const time = `${hour.padStart(2, '0')}:${minute.padStart(2, '0')}`;
  if (day === '*') {
    const days = weekday === '*' ? 'every day' : weekdays(weekday);
    return days ? `${days} at ${time}` : cron;
  }
  return weekday === '*' && /^\d+$/.test(day) ? `on day ${day} of each month at ${time}` : cron;
}

/** What starts a job, in words. */
export function startsInWords(job: Job): string {
  switch (job.starts) {
    case 'cron':
      return `${cronInWords(job.trigger)}, ${job.timezone}`;
    case 'event':
      return `on ${job.trigger}`;
    case 'after':
      return `after ${job.trigger}`;
    case 'manual':
      return 'by hand';
  }
}

function weekdays(field: string): string | null {
  const range = /^(\d)-(\d)$/.exec(field);
  if (range) {
    const [from, to] = [DAYS[Number(range[1])], DAYS[Number(range[2])]];
    return from && to ? `${from} to ${to}` : null;
  }
  const names = field.split(',').map(number => (/^\d$/.test(number) ? DAYS[Number(number)] : undefined));
  return names.every(name => name !== undefined) ? names.join(', ') : null;
}
