export function TutorPage() {
  return null;
}
