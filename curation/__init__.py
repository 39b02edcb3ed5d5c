"""Statements to facts, pictures to views, facts to questions, answers to knowledge, knowledge to splits."""
