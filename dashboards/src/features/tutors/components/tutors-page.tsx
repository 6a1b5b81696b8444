export function TutorsPage() {
  return null;
}
