"""Menu teaching 菜单式教学: curated menus of courses, by audience and date, in versions."""
