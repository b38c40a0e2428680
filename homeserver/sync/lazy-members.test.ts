import { expect, test } from 'vitest';
import { LazyMembers } from './lazy-members.ts';

const DEVICE = 1;
const member = { roomNo: 1, userNo: 2 };

test('what an answer held counts once the device comes back with its token', () => {
  const members = new LazyMembers();
  members.noteSent(DEVICE, member, 10);
  expect(members.hasArrived(DEVICE, member, { began: 5, since: 10 })).toBe(false);
  members.noteArrival(DEVICE, 10);
  expect(members.hasArrived(DEVICE, member, { began: 5, since: 10 })).toBe(true);
  expect(members.hasArrived(DEVICE, member, { began: 5, since: 30 })).toBe(true);
  expect(members.hasArrived(DEVICE, { ...member, roomNo: 9 }, { began: 5, since: 10 })).toBe(false);
  expect(members.hasArrived(2, member, { began: 5, since: 10 })).toBe(false);
});

test('an answer that was lost counts for nothing', () => {
  const members = new LazyMembers();
  members.noteSent(DEVICE, member, 10);
  members.noteArrival(DEVICE, 12);
  members.noteArrival(DEVICE, 10);
  expect(members.hasArrived(DEVICE, member, { began: 5, since: 12 })).toBe(false);
});

test('neither an initial sync nor an older token knows what came in another chain', () => {
  const members = new LazyMembers();
  members.noteSent(DEVICE, member, 10);
  members.noteArrival(DEVICE, 10);
  expect(members.hasArrived(DEVICE, member, { began: 11, since: 20 })).toBe(false);
  expect(members.hasArrived(DEVICE, member, { began: 5, since: 9 })).toBe(false);
});

test('memory is bounded: the device unused for longest is forgotten first', () => {
  const members = new LazyMembers();
  const known = (deviceNo: number) => members.hasArrived(deviceNo, { roomNo: 1, userNo: 0 }, { began: 0, since: 9 });
  for (let deviceNo = 1; deviceNo <= 60; deviceNo += 1) {
    for (let userNo = 0; userNo < 1000; userNo += 1) members.noteSent(deviceNo, { roomNo: 1, userNo }, 1);
    members.noteArrival(deviceNo, 1);
  }
  expect(known(1)).toBe(false);
  expect(known(60)).toBe(true);
});
